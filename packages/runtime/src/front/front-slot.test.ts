import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PipelineRunner } from '../data-plane/pipeline-runner.js';
import { fp32, ScriptedRunner, serve, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { StageTypes } from '../open-inference/stage-types.js';
import { FrameLink } from './frame-link.js';
import { serializedFrames } from './front-bench.test-support.js';
import { type FrontedServing, FrontPeer } from './front-peer.js';
import { FrontSlot } from './front-slot.js';
import { MainProcess } from './main-process.js';
import { type FromFront, type SentRun, sharedNowMs, type ToFront } from './messages.js';
import { SharedPorts } from './shared-ports.js';

/** A socket whose other end is the test: it notes what was said and says what it is told. */
function fakeSocket() {
  const said: ToFront[] = [];
  const reader = serializedFrames.reader(({ body }) => said.push(body as unknown as ToFront));
  const socket = new Duplex({
    read: () => {},
    write: (chunk: Uint8Array, _, done) => {
      reader.push(chunk);
      done();
    },
  });
  const say = (message: FromFront) => {
    for (const chunk of serializedFrames.frameOf(message, [])) socket.push(chunk);
  };
  return { socket, said, say };
}

const nobody: FrontedServing = {
  ...{ pipelines: new Map(), tenants: undefined, metrics: undefined },
  ...{ onAnswer: () => {}, onDefect: () => {}, onStageFailure: () => {}, tellNews: () => {} },
};

/** A place whose processes are the test's. */
function slotBench() {
  const fronts: (ReturnType<typeof fakeSocket> & { kill: ReturnType<typeof vi.fn>; exit: (how: string) => void })[] =
    [];
  const lost: string[] = [];
  const slot = new FrontSlot({
    serving: nobody,
    frames: serializedFrames,
    ports: new SharedPorts({ port: 0 }),
    launcher: {
      launch: () => {
        const front = { ...fakeSocket(), kill: vi.fn(), exit: (_how: string): void => {} };
        fronts.push(front);
        return {
          ...{ socket: front.socket, kill: front.kill },
          onExit: (listener) => {
            front.exit = listener;
          },
        };
      },
    },
    begin: () => ({ kind: 'state', number: fronts.length, state: { phase: 'serving', pipelines: {} } }),
    onLost: (problem) => lost.push(problem),
  });
  return { slot, fronts, lost };
}

describe('the place of a front', () => {
  beforeEach(() => void vi.useFakeTimers());

  afterEach(() => void vi.useRealTimers());

  async function started() {
    const bench = slotBench();
    const start = bench.slot.start();
    bench.fronts[0]?.say({ kind: 'listening', url: 'http://127.0.0.1:1' });
    await vi.advanceTimersByTimeAsync(1);
    expect(await start).toMatchObject({ url: 'http://127.0.0.1:1' });
    return bench;
  }

  it('has one started again, later each time, and at once when it had lasted', async () => {
    const { fronts, lost } = await started();
    const pauses = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [index, pauseMs] of pauses.entries()) {
      fronts[index]?.exit('was ended by SIGKILL');
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(fronts).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(fronts).toHaveLength(index + 2);
    }
    expect(lost[1]).toBe('a front process was ended by SIGKILL; another is started in 200 ms');
    for (let s = 0; s < 30; s++) {
      fronts.at(-1)?.say({ kind: 'alive', number: s });
      await vi.advanceTimersByTimeAsync(1000);
    }
    fronts.at(-1)?.exit('was ended by SIGKILL');
    expect(lost.at(-1)).toMatch(/in 100 ms$/);
  });

  it('kills one that says nothing any more, and one that says what cannot be read', async () => {
    const { fronts } = await started();
    await vi.advanceTimersByTimeAsync(14_000);
    fronts[0]?.say({ kind: 'alive', number: 1 });
    await vi.advanceTimersByTimeAsync(14_000);
    expect(fronts[0]?.kill).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_001);
    expect(fronts[0]?.kill).toHaveBeenCalled();
    const other = await started();
    other.fronts[0]?.socket.push(Uint8Array.of(4, 0, 0, 0, 1, 2, 3, 4));
    await vi.advanceTimersByTimeAsync(1);
    expect(other.fronts[0]?.kill).toHaveBeenCalled();
  });

  it('passes on why the first one does not start', async () => {
    const { slot, fronts } = slotBench();
    const start = expect(slot.start()).rejects.toMatchObject({ code: 'PORT_IN_USE', message: 'taken' });
    fronts[0]?.say({
      kind: 'refused',
      error: { code: 'PORT_IN_USE', message: 'taken', details: {}, retryable: false },
    });
    await vi.advanceTimersByTimeAsync(1);
    await start;
    expect(fronts[0]?.kill).toHaveBeenCalled();
  });

  it('kills one that listens elsewhere than the one before', async () => {
    const { fronts } = await started();
    for (const port of [1, 2]) {
      fronts.at(-1)?.exit('was ended by SIGKILL');
      await vi.advanceTimersByTimeAsync(1000);
      fronts.at(-1)?.say({ kind: 'listening', url: `http://127.0.0.1:${port}` });
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(fronts.map(({ kill }) => kill.mock.calls.length)).toEqual([0, 0, 1]);
  });

  it('waits for one that leaves until it has left, is gone or has had its time', async () => {
    const { slot, fronts } = await started();
    let left = 0;
    const leave = () => void slot.leave(500).then(() => (left += 1));
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect([fronts[0]?.said.at(-1), left]).toEqual([{ kind: 'leave', withinMs: 500 }, 0]);
    fronts[0]?.say({ kind: 'left' });
    await vi.advanceTimersByTimeAsync(1);
    expect(left).toBe(1);
    leave();
    await vi.advanceTimersByTimeAsync(499);
    expect(left).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(left).toBe(2);
    leave();
    fronts[0]?.exit('was ended by SIGKILL');
    await vi.advanceTimersByTimeAsync(1);
    expect(left).toBe(3);
  });

  it('kills one that does not close in time, and starts none when it is closed', async () => {
    const { slot, fronts } = await started();
    const closed = slot.close(500);
    await vi.advanceTimersByTimeAsync(1_499);
    expect(fronts[0]?.said.at(-1)).toEqual({ kind: 'close', timeoutMs: 500 });
    expect(fronts[0]?.kill).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(fronts[0]?.kill).toHaveBeenCalled();
    fronts[0]?.exit('was ended by SIGKILL');
    await closed;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fronts).toHaveLength(1);
  });
});

describe('a front that asks', () => {
  function peerBench() {
    const runner = new PipelineRunner({ spec: servingSpec(['a']), hostCores: Number.POSITIVE_INFINITY });
    const wait = () => new Promise<void>(() => {});
    serve(runner, 'a', new ScriptedRunner((item) => item, wait));
    const { socket, said } = fakeSocket();
    const link = new FrameLink(socket, serializedFrames, { received: () => {}, ended: () => {} });
    const pipelines = new Map([['bench', { runner, types: new StageTypes() }]]);
    return { runner, said, peer: new FrontPeer({ ...nobody, pipelines }, link) };
  }

  const run: SentRun = { kind: 'run', id: 1, pipeline: 'bench', arrivedAtMs: 0 };
  const tensors = () => [{ x: fp32([1], 1) }];

  it('has its request dropped where its time has passed on the way, and that is counted', async () => {
    const { runner, said, peer } = peerBench();
    peer.take({ ...run, id: 0, arrivedAtMs: sharedNowMs() }, tensors());
    peer.take({ ...run, arrivedAtMs: sharedNowMs() - 1000 }, tensors());
    await expect
      .poll(() => said, { timeout: 300 })
      .toMatchObject([{ kind: 'outcome', id: 1, outcome: { kind: 'dropped', reason: 'deadline-passed' } }]);
    expect(runner.statistics.total).toMatchObject({ arrived: 2 });
  });

  it('has all its requests cancelled when it is gone', async () => {
    const { runner, peer } = peerBench();
    for (const id of [1, 2]) peer.take({ ...run, id, arrivedAtMs: sharedNowMs() }, tensors());
    expect(runner.inFlight).toBe(2);
    peer.cancelAll();
    expect(runner.inFlight).toBe(0);
  });
});

describe('a main process that takes nothing', () => {
  it('is not sent more than memory allows', async () => {
    const stuck = new Duplex({ read: () => {}, write: () => {} });
    const link = new FrameLink(stuck, serializedFrames, { received: () => {}, ended: () => {} });
    const state = { phase: 'serving', pipelines: {} } as const;
    const main = new MainProcess(link, [servingSpec(['a'])], state);
    const large = { x: { ...fp32([8 * 2 ** 20]), data: new Float32Array(8 * 2 ** 20) } };
    const [runner] = main.runners;
    for (let i = 0; i < 3; i++) void runner?.submit(large);
    expect(await runner?.submit(large)).toMatchObject({ kind: 'dropped', reason: 'memory-full' });
  });
});
