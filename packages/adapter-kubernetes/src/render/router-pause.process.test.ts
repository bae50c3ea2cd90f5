import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { pauseSecondsOf } from './manifest-types.js';
import { untilReplaced } from './router-pause.js';

const LIMIT_MS = 60_000;
/** Longer than any test, so that a pause of this length does not end. */
const ENDLESS_S = 600;

/** A Service in front of a terminating pod. The test decides which instance answers. */
class Addressed {
  /** Undefined: an image without the header. */
  instance: string | undefined = 'old';
  status = 200;
  answers = 0;
  readonly #server: Server = createServer((_, response) => {
    this.answers += 1;
    const headers = this.instance === undefined ? {} : { 'x-equipoise-instance': this.instance };
    response.writeHead(this.status, headers).end('{}');
  });

  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/readyz`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async answersMore(): Promise<void> {
    const { answers } = this;
    await expect.poll(() => this.answers, { timeout: LIMIT_MS }).toBeGreaterThan(answers + 2);
  }
}

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** The command of a rendered pod, with other addresses and times. */
async function pausing({ leaveS = 0, longestS = ENDLESS_S, serviceUrl = '', isOlder = false } = {}) {
  const [pod, service] = [new Addressed(), new Addressed()];
  ends.push(
    () => pod.close(),
    () => service.close(),
  );
  if (isOlder) pod.instance = service.instance = undefined;
  const urls = [await pod.listen(), await service.listen()];
  const preStop = untilReplaced('http://shelf:8080', 8080);
  const [program = '', ...rest] = 'exec' in preStop ? preStop.exec.command : [];
  const times = [String(leaveS), String(longestS)];
  const parameters = [...rest.slice(0, -4), urls[0] ?? '', serviceUrl || (urls[1] ?? ''), ...times];
  const child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code]: unknown[]) => code);
  return { pod, service, ended, hasEnded: () => child.exitCode !== null };
}

describe('the pause of a router', () => {
  it(
    'lasts as long as its Service leads to itself',
    async () => {
      const { service, ended, hasEnded } = await pausing();
      await service.answersMore();
      expect(hasEnded()).toBe(false);
      service.instance = 'new';
      expect(await ended).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'goes on while the other pod is not ready, and while nothing answers',
    async () => {
      const { service, ended, hasEnded } = await pausing();
      service.instance = 'new';
      service.status = 503;
      await service.answersMore();
      expect(hasEnded()).toBe(false);
      service.status = 200;
      expect(await ended).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'lasts on for other nodes once the replacement answers',
    async () => {
      const { service, hasEnded } = await pausing({ leaveS: ENDLESS_S });
      service.instance = 'new';
      await service.answersMore();
      expect(hasEnded()).toBe(false);
    },
    LIMIT_MS,
  );

  it(
    'ends at its longest time if nothing replaces the pod',
    async () => {
      const { ended } = await pausing({ leaveS: ENDLESS_S, longestS: 1 });
      expect(await ended).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'ends at its longest time if the Service is gone',
    async () => {
      const { ended } = await pausing({ longestS: 1, serviceUrl: 'http://127.0.0.1:1/readyz' });
      expect(await ended).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'has its longest time if the image has no instance header',
    async () => {
      const { service, hasEnded } = await pausing({ isOlder: true });
      await service.answersMore();
      expect(hasEnded()).toBe(false);
    },
    LIMIT_MS,
  );

  it('is rendered with its longest time', () => {
    expect(pauseSecondsOf(untilReplaced('http://shelf:8080', 8080))).toBe(30);
  });
});
