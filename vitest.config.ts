/** The quick tier: tests that need neither a child process nor a tool. */
import { defineConfig } from 'vitest/config';
import { SkippedSuitesReporter } from './scripts/skipped-suites-reporter.js';

export default defineConfig({
  resolve: { conditions: ['equipoise-source'] },
  ssr: { resolve: { conditions: ['equipoise-source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/**/*.test.ts', 'scripts/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.{process,full,node}.test.ts'],
    // Test files restore what they change, so that they can share a process and its modules.
    isolate: false,
    setupFiles: ['scripts/refuse-child-processes.ts'],
    reporters: ['default', new SkippedSuitesReporter()],
    // Texts are compared without colors, which the environment (CI, FORCE_COLOR) would add otherwise.
    env: { NO_COLOR: '1' },
    coverage: { include: ['packages/*/src/**/*.ts'], reporter: ['text-summary', 'html'] },
    maxWorkers: 2,
    // Bounds on tests that hang; a busy machine needs patience.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
  },
});
