import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['equipoise-source'] },
  ssr: { resolve: { conditions: ['equipoise-source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.full.test.ts'],
    maxWorkers: 2,
    testTimeout: 20_000,
  },
});
