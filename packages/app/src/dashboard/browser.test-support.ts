/** The page in a real browser, over a port that stays the same when the server restarts. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { chromiumOptions, chromiumPath } from '@equipoise/testkit';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Forwards connections of one port to the current server. Without a server, it closes them. */
export class StablePort {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #target: number | undefined;

  constructor() {
    this.#server = createServer((socket) => {
      this.#open.add(socket);
      socket.on('close', () => this.#open.delete(socket)).on('error', () => {});
      if (this.#target === undefined) {
        socket.destroy();
        return;
      }
      const forward = connect(this.#target, '127.0.0.1');
      forward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => forward.destroy());
      socket.pipe(forward).pipe(socket);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  forwardTo(url: string | undefined): void {
    this.#target = url === undefined ? undefined : Number(new URL(url).port);
    if (url === undefined) for (const socket of this.#open) socket.destroy();
  }

  close(): void {
    this.forwardTo(undefined);
    this.#server.close();
  }
}

export interface Watched {
  readonly page: Page;
  /** Errors of scripts, messages of the console, and refused loads. */
  readonly errors: string[];
  /** Requests to other origins. */
  readonly foreign: string[];
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath ?? '', args: [...chromiumOptions] });

/** A new page at `url` in a context of its own. */
export async function openPage(browser: Browser, url: string): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const errors: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) foreign.push(request.url());
  });
  await page.goto(url);
  return { page, errors, foreign };
}

/** Serious and critical findings of axe-core, as short texts. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    type Axe = { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
  });
}
