import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { PLOT_PACKAGES, requirePlots } from './plot.js';

afterEach(() => {
  vi.doUnmock('vega');
  vi.resetModules();
});

it('names the packages to install, in the versions of package.json', async () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(PLOT_PACKAGES).toBe(`vega@${dependencies.vega} vega-lite@${dependencies['vega-lite']}`);
  vi.doMock('vega', () => {
    throw new Error("Cannot find package 'vega'");
  });
  await expect(requirePlots()).rejects.toMatchObject({
    code: 'PACKAGE_MISSING',
    message: expect.stringContaining(`\`npm install ${PLOT_PACKAGES}\``),
  });
});
