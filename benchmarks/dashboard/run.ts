/**
 * `npm run bench:dashboard [-- --screenshots FOLDER]`: the dashboard of shelf-scan in Chromium, while it serves images. First
 * it replays an hour of points of ten stages; then it opens every view with its details, obeys a pin, makes a plan for a
 * moved slider, rolls back, and reconnects after a restart. Prints each step, then a table of times; exit code 1 if a bar
 * is missed or the page has an error. Needs a profile: `npx equipoise profile examples/shelf-scan/pipeline.yaml --quick`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  openBrowser,
  openPage,
  StablePort,
  seriousFindings,
  type Watched,
} from '../../packages/app/src/dashboard/browser.test-support.js';
import { BIN, endCommands, type Serving, serving } from '../../packages/app/src/equipoise.test-support.js';
import { measureHour } from './hour.js';
import { dashboardTable, type Measured } from './report.js';

type Page = Watched['page'];

const PATIENCE_MS = 120_000;
const PICTURE_MS = 20_000;
const PICTURE_ATTEMPTS = 5;
const RPS = '4';
const VIEWS = ['Overview', 'Decisions', 'What if', 'Frontier', 'Requests', 'Why', 'Profiles'] as const;
/** An element that a view has when it is complete. */
const SIGNS: Readonly<Record<(typeof VIEWS)[number], string>> = {
  Overview: '.chart canvas',
  Decisions: '.timeline .row',
  'What if': '.what-if table.plan',
  Frontier: '.scatter .point',
  Requests: 'table.requests tr td',
  Why: 'main h2:text-matches("^(Healthy|No figures)"), .why h3',
  Profiles: 'main td',
};

/** Panes and dialogs that a click opens inside a view. */
interface Detail {
  readonly name: string;
  readonly opener: string;
  /** An element that it has when it is complete. */
  readonly sign: string;
}

const DETAILS: Readonly<Partial<Record<(typeof VIEWS)[number], Detail>>> = {
  Overview: { name: 'Stage', opener: 'button.stage', sign: 'dialog.side[open] tbody tr' },
  Decisions: { name: 'Decision', opener: '.timeline .row:has(.is-change)', sign: '.detail table.plan' },
  Requests: { name: 'Request', opener: 'table.requests a', sign: '.detail .waterfall-row' },
};

const { values } = parseArgs({ options: { screenshots: { type: 'string' } } });
const { screenshots } = values;
const folder = fileURLToPath(new URL('../../examples/shelf-scan', import.meta.url));
const measured: Measured[] = [];
const problems: string[] = [];

/** Prints each step at once, so that a run that is stopped keeps its figures. */
function note(what: string, ms: number, barMs?: number): void {
  measured.push({ what, ms, barMs });
  process.stdout.write(`${what}: ${(ms / 1000).toFixed(3)} s\n`);
}

function report(found: readonly string[]): void {
  problems.push(...found);
  for (const each of found) process.stdout.write(`problem: ${each}\n`);
}

async function timed<Value>(what: string, barMs: number | undefined, run: () => Promise<Value>): Promise<Value> {
  const startedAtMs = performance.now();
  const value = await run();
  note(what, performance.now() - startedAtMs, barMs);
  return value;
}

const port = new StablePort();
const url = await port.listen();

async function start(): Promise<Serving> {
  const server = await serving(folder, 'pipeline.yaml', '--arrival-rps', RPS);
  const [, admin = ''] = await server.command.said(/admin port (http:\/\/[^/]+)/);
  port.forwardTo(admin);
  return server;
}

function sendImages({ url: target }: Serving) {
  const args = [
    'load',
    `${target}/v1/pipelines/shelf-scan/run`,
    '--arrival-rps',
    RPS,
    '--duration-s',
    '600',
    '--body',
    'samples',
  ];
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: 'ignore' });
  return () => child.kill();
}

/** Screenshots and accessibility of the current view, on a desktop and a phone, light and dark. */
async function look(page: Page, view: string): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const width of [390, 1440])
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      findings.push(...(await seriousFindings(page)).map((text) => `${view}, ${width} px, ${colorScheme}: ${text}`));
      const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      if (over > 0) findings.push(`${view}, ${width} px: ${over} px too wide`);
      if (screenshots === undefined) continue;
      // Charts are drawn while they are in sight.
      for (const end of ['document.body.scrollHeight', '0']) {
        await page.evaluate(`scrollTo(0, ${end})`);
        await page.waitForTimeout(300);
      }
      await keepPicture(
        page,
        join(screenshots, `${view.toLowerCase().replaceAll(' ', '-')}-${width}-${colorScheme}.png`),
      );
    }
  return findings;
}

/** On a busy machine, a picture may get no frame. */
async function keepPicture(page: Page, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await page.screenshot({ path, fullPage: true, timeout: PICTURE_MS });
      return;
    } catch (error) {
      if (attempt === PICTURE_ATTEMPTS) throw error;
    }
  }
}

async function openViews(page: Page): Promise<void> {
  for (const view of VIEWS) {
    await timed(`view ${view}`, undefined, async () => {
      await page.getByRole('link', { name: view, exact: true }).click();
      await page.locator(SIGNS[view]).first().waitFor();
    });
    report(await look(page, view));
    const detail = DETAILS[view];
    if (detail !== undefined) await openDetail(page, detail);
  }
}

async function openDetail(page: Page, { name, opener, sign }: Detail): Promise<void> {
  await page.locator(opener).first().click();
  await page.locator(sign).first().waitFor();
  report(await look(page, name));
  // A dialog would cover the other views.
  await page.keyboard.press('Escape');
}

async function confirm(page: Page, name: string): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
}

/** Pins the stage detect to another variant than the one that runs. */
async function pin(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  const stage = page.locator('button.stage', { hasText: 'detect' });
  const running = await stage.locator('.chip').first().textContent();
  const wanted = running?.trim() === 's' ? 'm' : 's';
  await stage.click();
  await page.getByLabel('Variant', { exact: true }).selectOption(wanted);
  await page.getByRole('button', { name: 'Pin', exact: true }).click();
  await page.getByRole('dialog').waitFor();
  await timed('a pin is obeyed: the graph shows its variant', 30_000, async () => {
    await confirm(page, 'Pin');
    await page.locator('button.stage', { hasText: 'detect' }).locator('.chip', { hasText: wanted }).waitFor();
  });
  await page.getByRole('button', { name: /1 pin/ }).click();
  await confirm(page, 'Remove pins');
}

async function rollBack(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Roll back' }).click();
  await page.getByRole('dialog').waitFor();
  report(await look(page, 'Roll back'));
  await timed('a roll-back is in force', 1000, async () => {
    await confirm(page, 'Roll back');
    await page.locator('.result', { hasText: 'in force after' }).waitFor();
  });
  process.stdout.write(`${await page.locator('.result').textContent()}\n`);
}

async function moveSlider(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'What if', exact: true }).click();
  await page.locator(SIGNS['What if']).waitFor();
  await timed('a moved slider gives another plan', 10_000, async () => {
    await page.getByRole('slider', { name: /^Budget/ }).press('Home');
    await page.locator('.what-if .error, .what-if ins, .what-if del').first().waitFor();
  });
  report(await look(page, 'Moved slider'));
}

const browser = await openBrowser();
if (screenshots !== undefined) mkdirSync(screenshots, { recursive: true });
try {
  const replayHour = async (when: string): Promise<void> => {
    const hour = await measureHour(browser);
    note(`frame, p99, an hour of ten stages in replay, ${when}`, hour.frameP99Ms, 50);
    process.stdout.write(
      `heap ${hour.heapBefore.toFixed(1)} MiB before, ${hour.heapAfter.toFixed(1)} MiB after the replay\n`,
    );
  };
  await replayHour('alone');
  const server = await timed('serve is ready', undefined, start);
  let stopLoad = sendImages(server);
  const { page, errors, foreign } = await openPage(browser, `${url}/`);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.locator('button.stage').first().waitFor();
  const paint = await page.evaluate<number>(
    'performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1',
  );
  note('first paint', paint, 1000);
  const rate = page.locator('.tile', { hasText: 'Arrivals' }).locator('.value');
  await timed('arrivals are shown', undefined, async () => {
    while (!(Number(await rate.textContent()) > 0)) await page.waitForTimeout(100);
  });
  // It also gives traces and time series of some seconds.
  await replayHour('while the server has load');
  await openViews(page);
  await page.setViewportSize({ width: 1440, height: 900 });
  await pin(page);
  await rollBack(page);
  await moveSlider(page);
  report(errors);
  await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }));
  stopLoad();
  port.forwardTo(undefined);
  server.command.signal('SIGTERM');
  await server.command.ended;
  await page.getByText('Connection lost.').waitFor();
  stopLoad = sendImages(await start());
  await timed('the page reconnects', 5000, () => page.getByText('Connection lost.').waitFor({ state: 'hidden' }));
  const isSame = await page.evaluate(() => 'isSamePage' in globalThis);
  stopLoad();
  report(foreign.map((each) => `request to ${each}`));
  if (!isSame) report(['the page was loaded again']);
  process.stdout.write(`${dashboardTable(measured)}\n${problems.length} problems\n`);
  const isMissed = measured.some(({ ms, barMs = Number.POSITIVE_INFINITY }) => ms > barMs);
  process.exitCode = isMissed || problems.length > 0 ? 1 : 0;
} finally {
  await browser.close();
  port.close();
  await endCommands();
}
