/** All pages in a real browser: two widths, light and dark, by pointer and keyboard, and on paper. */
import { readFileSync } from 'node:fs';
import { chromium, describeWithTool } from '@equipoise/testkit';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, seriousFindings } from '../dashboard/browser.test-support.js';
import { TestFolder } from '../equipoise.test-support.js';
import { htmlPage } from './page/html-page.js';
import { samplePages } from './sample-pages.test-support.js';
import { HOSTILE } from './sample-run.test-support.js';

/** Axe looks at the colors of both schemes and the layout of both widths. */
const WAYS = [
  [1440, 'light', true],
  [1440, 'dark', false],
  [390, 'light', false],
  [390, 'dark', true],
] as const;
const folder = new TestFolder();
/** The longest name that a pipeline file may have, without a place to break it. */
const LONGEST = 'W'.repeat(63);
const pages = {
  ...samplePages('shelf-scan'),
  hostile: samplePages(HOSTILE)['report'],
  longest: samplePages(LONGEST)['report'],
};
const names = Object.keys(pages);

describeWithTool(chromium, 'reports in a browser', () => {
  let browser: Browser;

  beforeAll(async () => {
    for (const [name, page] of Object.entries(pages)) if (page) folder.write(`${name}.html`, htmlPage(page));
    browser = await openBrowser();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await folder.remove();
  });

  async function opened(name: string, options: BrowserContextOptions): Promise<{ page: Page; errors: string[] }> {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error.stack)));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
    });
    page.on('dialog', (dialog) => {
      errors.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      const isOwn = /^(file|data|blob):/.test(request.url());
      if (!isOwn) errors.push(`request: ${request.url()}`);
    });
    await page.goto(`file://${folder.path}/${name}.html`);
    return { page, errors };
  }

  it.each(names)(
    '%s fits every width, has no findings of axe, and loads nothing',
    { timeout: 120_000 },
    async (name) => {
      // Axe is a script of the test, which the policy of the page would refuse.
      const { page, errors } = await opened(name, { bypassCSP: true });
      for (const [width, colorScheme, hasAxe] of WAYS) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme });
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        const findings = hasAxe ? await seriousFindings(page) : [];
        expect([width, colorScheme, overflow, findings, errors]).toEqual([width, colorScheme, 0, [], []]);
      }
      await page.context().close();
    },
  );

  it('shows values by pointer and keyboard, leads to a change, and changes its colors', {
    timeout: 60_000,
  }, async () => {
    const { page, errors } = await opened('report', { viewport: { width: 1440, height: 900 } });
    const box = page.locator('.plot-box').first();
    await box.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    expect(await page.locator('.tip').textContent()).toMatch(
      /2026-03-01 12:59:48 UTCarrivals[\d.]+ requests per second/,
    );
    await page.keyboard.press('Escape');
    expect(await page.locator('.tip').count()).toBe(0);
    await page.locator('.plot-box').nth(1).hover();
    expect(await page.locator('.tip').textContent()).toMatch(/UTCp50\d+ ms/);
    expect(await page.locator('.cursor').count()).toBeGreaterThan(5);
    await page.locator('svg a').first().press('Enter');
    expect(page.url()).toMatch(/#d1$/);
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const before = await background();
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await background()).not.toBe(before);
    expect(errors).toEqual([]);
  });

  it('lists all points at one place, and moves from place to place', { timeout: 60_000 }, async () => {
    const { page, errors } = await opened('sweep', { viewport: { width: 1440, height: 900 } });
    const box = page.locator('.plot-box').first();
    const tip = async () => (await page.locator('.tip').textContent()) ?? '';
    await box.locator('svg.wide-only text', { hasText: '×' }).first().hover();
    expect(await tip()).toMatch(/^\d points at this place.*profile-factor 1[a-z].*profile-factor 1\.2[a-z]/);
    await box.focus();
    const tips: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      await page.keyboard.press('ArrowRight');
      tips.push(await tip());
    }
    expect(new Set(tips).size).toBe(3);
    expect(errors).toEqual([]);
  });

  it('saves plots as SVG, PNG and CSV', { timeout: 60_000 }, async () => {
    const { page, errors } = await opened('sweep', { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
    const saved = async (figure: number, kind: string): Promise<Buffer> => {
      const waiting = page.waitForEvent('download');
      await page.locator('figure').nth(figure).locator(`[data-save=${kind}]`).click();
      return readFileSync(await (await waiting).path());
    };
    const svg = String(await saved(0, 'svg'));
    expect(svg).toMatch(/^<svg .*<style.*stroke: #[0-9a-f]{6}.*Points of the sweep.*<\/svg>$/s);
    expect(svg).not.toContain('var(--');
    expect((await saved(0, 'png')).subarray(1, 4).toString()).toBe('PNG');
    expect(String(await saved(0, 'csv'))).toMatch(/^"equipoise, arrival-rps 10/);
    expect(errors).toEqual([]);
  });

  it('prints in light colors without buttons', { timeout: 60_000 }, async () => {
    const { page } = await opened('report', { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(24, 32, 43)');
    expect(await page.locator('.plot-tools').first().isVisible()).toBe(false);
    expect((await page.pdf()).byteLength).toBeGreaterThan(10_000);
  });
});
