/** States of the dashboard that a real server reaches rarely, in a real browser. */
import type { RunningAdminServer } from '@equipoise/runtime';
import { chromium, describeWithTool } from '@equipoise/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openBrowser, openPage, StablePort, seriousFindings } from './browser.test-support.js';
import { FakeApi, type FakePipeline, servePage } from './fake-api.test-support.js';

const PATIENCE_MS = 120_000;

describeWithTool(chromium, 'states of the dashboard', () => {
  let browser: Browser;
  let server: RunningAdminServer;
  let errors: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
    server = await servePage();
  });

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(errors).toEqual([]);
    errors = [];
  });

  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  const opened = async (place: string, over: Partial<FakePipeline> | FakeApi = {}, script = ''): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => errors.push(String(error.stack)));
    const api = over instanceof FakeApi ? over : new FakeApi(over);
    await api.answer(page);
    await page.addInitScript(script);
    await page.goto(`${server.url}/${place}`);
    return page;
  };

  it('asks for a token, says when it is refused, and keeps it out of the address', async () => {
    const port = new StablePort();
    const url = await port.listen();
    const first = await servePage('sesame');
    port.forwardTo(first.url);
    const { page } = await openPage(browser, `${url}/`);
    page.setDefaultTimeout(PATIENCE_MS);
    await page.getByRole('heading', { name: 'This server asks for a token' }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByLabel('Token').fill('wrong');
    await page.getByRole('button', { name: 'Continue' }).click();
    const refused = page.getByRole('heading', { name: 'The token is not valid any more' });
    await refused.waitFor();
    await page.getByLabel('Token').fill('sesame');
    await page.keyboard.press('Enter');
    const empty = page.getByRole('heading', { name: 'No pipeline is served' });
    await empty.waitFor();
    await page.reload();
    await empty.waitFor();
    expect(page.url()).not.toContain('sesame');
    expect(await page.evaluate('Object.values(localStorage)')).not.toContain('sesame');

    const second = await servePage('barley');
    port.forwardTo(undefined);
    port.forwardTo(second.url);
    await refused.waitFor();
    await page.getByLabel('Token').fill('barley');
    await page.keyboard.press('Enter');
    await empty.waitFor();
    port.close();
    await Promise.all([first.close(), second.close()]);
  }, 300_000);

  it('names the served pipelines where the address has another', async () => {
    const page = await opened('#/gone/decisions');
    await page.getByRole('heading', { name: 'No pipeline named gone' }).waitFor();
    await page.locator('main').getByRole('link', { name: 'p', exact: true }).click();
    await page.locator('button.stage').first().waitFor();
  }, 300_000);

  it('says that the shown pipeline is gone, drops its dialog, and shows no other pipeline in its place', async () => {
    const api = new FakeApi({ names: ['p', 'q'] });
    const page = await opened('', api);
    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('dialog').waitFor();
    api.names = ['q'];
    await page.getByRole('heading', { name: 'No pipeline named p' }).waitFor();
    await page.locator('main').getByRole('link', { name: 'q', exact: true }).click();
    await page.locator('button.stage').first().waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
  }, 300_000);

  it('reads 10,000 decisions in pages, and opens one by its number', async () => {
    const page = await opened('#/p/decisions', { decisions: 10_000 });
    const rows = page.locator('.timeline .row');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(100);
    await page.getByRole('button', { name: 'Show older decisions' }).click();
    await page.locator('.timeline .row', { hasText: 'reason of 9801' }).waitFor();
    expect(await rows.count()).toBe(200);
    await page.getByLabel('Number of a decision').fill('5');
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('heading', { name: 'Decision 5', exact: true }).waitFor();
    await page.locator('.detail', { hasText: 'reason of 5' }).waitFor();
    await page.goto(`${server.url}/#/p/decisions/123456`);
    await page.getByRole('heading', { name: 'There is no decision 123456' }).waitFor();
  }, 300_000);

  it('shows the cause of an incident, its evidence and what would have helped', async () => {
    const page = await opened('#/p/why');
    await page.getByText(/Slow replica at stage stage-1/).waitFor();
    await page.getByText('1,234 of 12,000 requests missed the SLO (10.28 %; allowed 1.00 %)').waitFor();
    await page.locator('.why table.plan').waitFor();
    await page.locator('td', { hasText: '118 to 131' }).waitFor();
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await seriousFindings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
  }, 300_000);

  it('opens each request of a trace, and says what is not recorded', async () => {
    const page = await opened('#/p/requests');
    const rows = page.locator('table.requests tbody tr');
    await rows.nth(1).getByRole('link').click();
    await page.locator('.detail', { hasText: '30 ms · completed' }).waitFor();
    expect(await page.locator('tr.is-current').count()).toBe(1);
    expect(await page.getByText('not recorded').count()).toBe(0);
    await rows.first().getByRole('link').click();
    await page.locator('.detail', { hasText: '45 ms · completed' }).waitFor();
    await page.getByText('Further visits to stages are not recorded: 17.').waitFor();
    expect(await rows.count()).toBe(2);
  }, 300_000);

  it('shows the clock of a server that is an hour ahead', async () => {
    const page = await opened('', { skewMs: 3_600_000 });
    await page.getByText('The clock of the server is 60 min ahead of this machine').waitFor();
    await page.locator('.chart').first().waitFor();
    await page.locator('.age', { hasText: /read (now|\d+ s ago)/ }).waitFor();
  }, 300_000);

  it('shows all that an older server offers', async () => {
    const page = await opened('', { isOlder: true });
    await page.getByRole('heading', { name: 'No graph' }).waitFor();
    await page.getByRole('heading', { name: 'This server keeps no history' }).waitFor();
    await page.locator('.tile', { hasText: 'Arrivals' }).filter({ hasText: '20.0' }).waitFor();
    await page.locator('.timeline .row').first().waitFor();
    for (const [view, heading] of [
      ['Frontier', 'This server offers no frontier'],
      ['Requests', 'This server samples no requests'],
      ['Profiles', 'This server does not show its profiles'],
    ] as const) {
      await page.getByRole('link', { name: view, exact: true }).click();
      await page.getByRole('heading', { name: heading }).waitFor();
    }
  }, 300_000);

  it('says that time series or a decision cannot be read, and reads them when they can be', async () => {
    const api = new FakeApi();
    const page = await opened('', api);
    await page.locator('.chart').first().waitFor();
    api.failing = ['/history', '/decisions/5'];
    const banner = page.getByText('The time series cannot be read.');
    await banner.waitFor();
    await page.locator('.tile', { hasText: 'Within SLO' }).filter({ hasText: 'since the start' }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.goto(`${server.url}/#/p/decisions/5`);
    const unread = page.getByRole('heading', { name: 'The decision cannot be read' });
    await unread.waitFor();
    api.failing = [];
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.detail', { hasText: 'reason of 5' }).waitFor();
    await page.goto(`${server.url}/#/p/overview`);
    await page.locator('.tile', { hasText: 'Within SLO, last hour' }).waitFor();
    await banner.waitFor({ state: 'hidden' });
  }, 300_000);

  it('keeps a dialog open when an earlier action ends whose dialog was closed', async () => {
    const api = new FakeApi();
    let end = () => {};
    api.actionEnds = new Promise((resolve) => {
      end = resolve;
    });
    const page = await opened('', api);
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Roll back' }).click();
    await dialog.getByRole('button', { name: 'Roll back' }).click();
    await dialog.getByRole('button', { name: 'Working' }).waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Advise', exact: true }).click();
    await page.getByRole('heading', { name: 'Advise?' }).waitFor();
    end();
    await page.getByText('rolled back to decision 7').waitFor();
    expect(await dialog.getByRole('button', { name: 'Set Advise' }).isEnabled()).toBe(true);
  }, 300_000);

  it('is read-only where a fixed plan is served', async () => {
    const page = await opened('#/p/decisions/25', { isFixed: true });
    await page.getByText('Read-only: a fixed plan is served').waitFor();
    expect(await page.getByRole('button', { name: 'Advise' }).isDisabled()).toBe(true);
    expect(await page.getByRole('button', { name: 'Roll back' }).isDisabled()).toBe(true);
    const apply = page.getByRole('button', { name: 'Apply this plan' });
    await apply.waitFor();
    expect(await apply.isEnabled()).toBe(true);
  }, 300_000);

  it('names a router that follows, and where to act instead of offering it', async () => {
    const page = await opened('#/p/decisions/25', { follows: true });
    await page.getByText('Read-only: following another router').click();
    await page.locator('.controls').getByText('Act on the page of the lead.').waitFor();
    expect(await page.getByText('a fixed plan is served').count()).toBe(0);
    for (const name of ['Advise', 'Roll back'])
      expect(await page.getByRole('button', { name }).isDisabled()).toBe(true);
    await page.locator('.detail').getByText('Act on the page of the lead.').waitFor();
    expect(await page.getByRole('button', { name: 'Apply this plan' }).count()).toBe(0);
  }, 300_000);

  it('changes between pipelines, with the keyboard, too', async () => {
    const page = await opened('', { names: ['p', 'q'] });
    await page.getByLabel('Pipeline').selectOption('q');
    await page.waitForURL(/#\/q\/overview$/);
    await page.locator('button.stage').first().waitFor();
    await page.getByRole('link', { name: 'Decisions', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/#\/q\/decisions$/);
    await page.locator('.timeline .row').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Decision 30' }).waitFor();
  }, 300_000);

  it('replays the last hour, and comes back to now', async () => {
    const page = await opened('', { points: 3600, stages: 10 });
    const moment = page.getByLabel('Moment shown');
    for (const key of ['ArrowLeft', 'Home']) {
      await moment.focus();
      await page.keyboard.press(key);
      await page.getByRole('button', { name: 'Back to live' }).click();
      await page.locator('.replay output', { hasText: 'Live' }).waitFor();
    }
  }, 300_000);

  it('draws an hour of ten stages only where it is in sight, and shows the values at the pointer', async () => {
    const api = new FakeApi({ points: 3600, stages: 10 });
    const page = await opened('', api, COUNT_DRAWINGS);
    await page.setViewportSize({ width: 1440, height: 600 });
    const charts = page.locator('.chart canvas');
    await page.getByRole('button', { name: '1 h' }).click();
    await expect.poll(() => charts.count(), { timeout: PATIENCE_MS }).toBe(7);
    const readings = () => api.asked.get('/admin/pipelines/p/history') ?? 0;
    const pass = async (count: number) => {
      const before = readings();
      await expect.poll(readings, { timeout: PATIENCE_MS }).toBeGreaterThanOrEqual(before + count);
    };
    // Where a chart is becomes known after its first drawing.
    await pass(3);
    await page.evaluate('drawn.clear()');
    await pass(5);
    const tops = await page.evaluate<number[]>('[...drawn].map((canvas) => canvas.getBoundingClientRect().top)');
    expect(tops.length).toBeLessThan(7);
    expect(Math.max(0, ...tops)).toBeLessThan(600 + 200);

    await page.getByText('Recent decisions').scrollIntoViewIfNeeded();
    await page.evaluate('drawn.clear()');
    await expect
      .poll(() => page.evaluate('drawn.has([...document.querySelectorAll(".chart canvas")].at(-1))'))
      .toBe(true);

    const key = page.locator('.chart', { hasText: 'Arrivals' }).locator('.key b').first();
    await page
      .locator('.chart .u-over')
      .first()
      .hover({ position: { x: 1, y: 20 } });
    const error = async () => Number(await key.textContent()) - api.arrivalRpsAt(Date.now() - 3_600_000);
    await expect.poll(async () => Math.abs(await error()), { timeout: PATIENCE_MS }).toBeLessThan(2.5);
  }, 300_000);
});

/** Collects the canvases that are drawn. */
const COUNT_DRAWINGS = `
  globalThis.drawn = new Set();
  const { clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...area) {
    drawn.add(this.canvas);
    return clearRect.apply(this, area);
  };
`;
