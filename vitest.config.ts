/** The quick tier: everything that needs Node alone, and suites whose tool is here and quick. */
import { defineConfig } from 'vitest/config';
import { SkippedSuitesReporter } from './scripts/skipped-suites-reporter.js';

export default defineConfig({
  resolve: { conditions: ['equipoise-source'] },
  ssr: { resolve: { conditions: ['equipoise-source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/**/*.test.ts', 'scripts/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.full.test.ts'],
    reporters: ['default', new SkippedSuitesReporter()],
    // Texts are compared without colors, which the environment (CI, FORCE_COLOR) would add otherwise.
    env: { NO_COLOR: '1' },
    coverage: { include: ['packages/*/src/**/*.ts'], reporter: ['text-summary', 'html'] },
    maxWorkers: 2,
    testTimeout: 20_000,
  },
});
