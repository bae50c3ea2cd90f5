/** The process tier: the command line, servers and replicas as child processes, from compiled code. */
import { defineConfig } from 'vitest/config';
import quick from './vitest.config.js';

const { projects: _, ...settings } = quick.test ?? {};

export default defineConfig({
  ...quick,
  test: {
    ...settings,
    include: ['{packages/*/src,examples,scripts}/**/*.process.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    setupFiles: [],
  },
});
