/** Frames and memory of the page with an hour of points for ten stages, while it replays the hour. */
import type { openBrowser } from '../../packages/app/src/dashboard/browser.test-support.js';
import { FakeApi, servePage } from '../../packages/app/src/dashboard/fake-api.test-support.js';

type Browser = Awaited<ReturnType<typeof openBrowser>>;

/** Heaps in MiB after garbage collection. */
export interface HourFigures {
  readonly frameP99Ms: number;
  readonly heapBefore: number;
  readonly heapAfter: number;
}

const REPLAY_MS = 30_000;
/** Runs in the page: the 99th percentile of the times between frames. */
const FRAMES = `new Promise((resolve) => {
  const frames = [];
  const beganAtMs = performance.now();
  let last = beganAtMs;
  const next = (nowMs) => {
    frames.push(nowMs - last);
    last = nowMs;
    if (nowMs - beganAtMs < ${REPLAY_MS}) requestAnimationFrame(next);
    else resolve(frames.sort((a, b) => a - b)[Math.floor(0.99 * frames.length)]);
  };
  requestAnimationFrame(next);
})`;

export async function measureHour(browser: Browser): Promise<HourFigures> {
  const server = await servePage();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await new FakeApi({ points: 3600, stages: 10 }).answer(page);
  await page.goto(`${server.url}/`);
  await page.locator('.chart').first().waitFor();
  const session = await context.newCDPSession(page);
  const heapMib = async (): Promise<number> => {
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    return usedSize / 2 ** 20;
  };
  const heapBefore = await heapMib();
  await page.getByRole('button', { name: /^Replay/ }).click();
  const frameP99Ms = await page.evaluate<number>(FRAMES);
  const heapAfter = await heapMib();
  await context.close();
  await server.close();
  return { frameP99Ms, heapBefore, heapAfter };
}
