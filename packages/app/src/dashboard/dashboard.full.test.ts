/** The dashboard in a real browser, over the compiled command under load. */
import { chromium, describeWithTool } from '@equipoise/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { endCommands, type Serving, serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { openBrowser, openPage, StablePort, seriousFindings } from './browser.test-support.js';

const PATIENCE_MS = 120_000;

/** Each test has a pipeline of its own, because pins and plans of a pipeline outlive its server. */
const fileOf = (name: string): string =>
  syntheticPipeline({ name, cpuCores: 4, spec: 'control: { intervalMs: 1000, canary: false }' });

/** Without the messages about answers with an error status, which the page shows. */
const scriptErrors = (errors: readonly string[]): readonly string[] =>
  errors.filter((error) => !error.startsWith('Failed to load resource'));

/** No serious finding of axe-core, and no sideways scrolling, on a desktop and a phone, light and dark. */
async function expectAccessible(page: Page): Promise<void> {
  for (const width of [390, 1440])
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      expect({ width, colorScheme, found: await seriousFindings(page) }).toEqual({ width, colorScheme, found: [] });
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
}

describeWithTool(chromium, 'the dashboard', () => {
  const folder = new TestFolder();
  const port = new StablePort();
  let browser: Browser;
  let url: string;
  let server: Serving;
  const senders = new Set<NodeJS.Timeout>();

  const start = async (name: string): Promise<void> => {
    folder.write(`${name}.yaml`, fileOf(name));
    server = await serving(folder.path, `${name}.yaml`, '--arrival-rps', '10');
    const [, admin = ''] = await server.command.said(/admin port (http:\/\/[^/]+)/);
    port.forwardTo(admin);
  };
  const stop = async (): Promise<void> => {
    for (const sender of senders) clearInterval(sender);
    senders.clear();
    port.forwardTo(undefined);
    server.command.signal('SIGTERM');
    await server.command.ended;
  };
  /** Sends some ten requests per second until the server stops. */
  const sendRequests = (name: string): void => {
    const send = () =>
      void fetch(`${server.url}/v1/pipelines/${name}/run`, { method: 'POST', body: 'hi' }).catch(() => {});
    senders.add(setInterval(send, 100));
  };
  const opened = async () => {
    const watched = await openPage(browser, `${url}/`);
    watched.page.setDefaultTimeout(PATIENCE_MS);
    return watched;
  };
  const isLive = (page: Page) => page.getByText('Live', { exact: true }).first().waitFor();

  beforeAll(async () => {
    browser = await openBrowser();
    url = await port.listen();
  });

  afterEach(async () => {
    for (const sender of senders) clearInterval(sender);
    senders.clear();
    await Promise.all(browser.contexts().map((context) => context.close()));
    await endCommands();
  });

  afterAll(async () => {
    await browser.close();
    port.close();
    await folder.remove();
  });

  it('shows the pipeline in two tabs, obeys a pin, opens decisions, rolls back, and comes back after a restart', async () => {
    await start('shown');
    sendRequests('shown');
    const { page, errors, foreign } = await opened();
    await isLive(page);
    await page.locator('button.stage', { hasText: 'detect' }).waitFor();
    expect(await page.locator('button.stage').count()).toBe(2);
    const rate = page.locator('.tile', { hasText: 'Arrivals' }).locator('.value');
    await expect.poll(async () => Number(await rate.textContent()), { timeout: PATIENCE_MS }).toBeGreaterThan(0);

    await page.locator('button.stage', { hasText: 'detect' }).click();
    await page.getByLabel('Variant', { exact: true }).selectOption('small');
    await page.getByRole('button', { name: 'Pin', exact: true }).click();
    await page.getByLabel(/^Reason/).fill('to see it');
    await page.getByRole('dialog').getByRole('button', { name: 'Pin', exact: true }).click();
    await page.locator('button.stage .chip', { hasText: 'small' }).waitFor();
    await page.locator('button.stage .pin').waitFor();

    await page.getByRole('link', { name: 'Decisions', exact: true }).click();
    await page.locator('.timeline .row', { hasText: 'pin' }).first().waitFor();
    await page.locator('.timeline .row', { hasText: 'start' }).first().click();
    await page.getByRole('heading', { name: 'Predicted and observed' }).waitFor();
    await page.locator('.detail', { hasText: 'large' }).waitFor();

    const { page: other } = await opened();
    await isLive(other);
    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
    await page.locator('.result', { hasText: 'in force after' }).waitFor();
    await page.locator('button[aria-pressed="true"]', { hasText: 'Advise' }).waitFor();
    await other.locator('button[aria-pressed="true"]', { hasText: 'Advise' }).waitFor();
    await other.context().close();
    expect({ errors, foreign }).toEqual({ errors: [], foreign: [] });

    await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }));
    await stop();
    await page.getByText('Connection lost.').waitFor();
    await start('shown');
    await page.getByText('Connection lost.').waitFor({ state: 'hidden' });
    await isLive(page);
    expect(await page.evaluate(() => 'isSamePage' in globalThis)).toBe(true);
    expect(scriptErrors(errors)).toEqual([]);
    await stop();
  }, 600_000);

  it('makes plans for other assumptions, applies one, and shows frontier and profiles', async () => {
    await start('tried');
    sendRequests('tried');
    const { page, errors, foreign } = await opened();
    await page.locator('.chart').first().waitFor();
    await expectAccessible(page);
    await page.getByRole('link', { name: 'What if', exact: true }).click();
    await page.locator('.what-if table.plan').waitFor();
    await expectAccessible(page);
    await page.getByRole('slider', { name: /^Budget/ }).press('Home');
    await page.locator('.what-if .error', { hasText: /No plan/ }).waitFor();
    await page.getByRole('button', { name: 'Reset' }).click();
    await page.locator('.what-if .error').waitFor({ state: 'hidden' });
    await page.getByLabel('Variant of detect').selectOption('small');
    await page.locator('.what-if ins', { hasText: 'small' }).waitFor();
    await page.getByRole('button', { name: 'Apply this plan' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Apply' }).click();
    await page.locator('.result', { hasText: 'in force after' }).waitFor();
    await page.locator('button[aria-pressed="true"]', { hasText: 'Advise' }).waitFor();

    await page.getByRole('link', { name: 'Frontier', exact: true }).click();
    await page.locator('.scatter .point').first().waitFor();
    await page.getByRole('button', { name: 'Open plan 1' }).click();
    await page.getByRole('region', { name: 'Plan of the frontier' }).waitFor();
    await expectAccessible(page);

    await page.getByRole('link', { name: 'Why', exact: true }).click();
    await page.getByRole('heading', { name: /^Healthy from|^First signal$|^No figures/ }).waitFor();
    await expectAccessible(page);

    await page.getByRole('link', { name: 'Profiles', exact: true }).click();
    await page.getByRole('heading', { name: /^Throughput of a replica/ }).waitFor();
    await page.getByLabel('Stage and variant').selectOption('detect/small');
    await page.locator('td', { hasText: '12 ms' }).first().waitFor();
    await expectAccessible(page);

    await page.getByRole('link', { name: 'Decisions', exact: true }).click();
    await page.locator('.timeline .row', { hasText: 'start' }).first().click();
    await page.locator('.detail .lead').waitFor();
    await expectAccessible(page);
    expect({ errors, foreign }).toEqual({ errors: [], foreign: [] });
    await stop();
  }, 600_000);
});
