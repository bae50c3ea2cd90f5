/** The process tier: the command line, servers and replicas as child processes, from compiled code. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

export default defineConfig({
  ...quick,
  test: {
    ...quick.test,
    isolate: true,
    include: ['{packages/*/src,examples,scripts}/**/*.process.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: [],
  },
});
