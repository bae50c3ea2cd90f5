import { AppError } from '@equipoise/core/model';
import { FakeLauncher, ManualClock } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { commandItem } from '../obeying-stage.test-support.js';
import { a, closeOpened, open, planOf, scaleTo, small } from './actuator-bench.test-support.js';
import { AddressFollower } from './address-follower.js';

afterEach(closeOpened);

/** Launches each replica on an address without one, as for a headless Service. */
class AddressLauncher extends FakeLauncher {
  addresses: readonly string[] = [];
  /** Addresses of which no server answers. */
  readonly silent = new Set<string>();
  readonly taken: string[] = [];
  attempts = 0;

  override async launch(request: Parameters<FakeLauncher['launch']>[0]) {
    this.attempts += 1;
    const free = this.addresses.find((address) => !this.taken.includes(address) && !this.silent.has(address));
    if (free === undefined) throw new AppError('MODEL_LOAD_FAILED', 'each address has a replica');
    this.taken.push(free);
    const launched = await super.launch(request);
    const { runner } = launched;
    const release = () => this.taken.splice(this.taken.indexOf(free), 1);
    const close = runner.close.bind(runner);
    Object.assign(runner, { address: free, close: () => close().then(release) });
    return launched;
  }
}

async function following(addresses: readonly string[], mostReplicas = 64) {
  const clock = new ManualClock();
  const launcher = new AddressLauncher();
  launcher.addresses = addresses;
  const bench = open(launcher, { clock });
  await bench.actuator.apply(scaleTo(planOf(small, 1)));
  const news: string[] = [];
  let asked = 0;
  let answer: () => Promise<readonly string[]> = async () => launcher.addresses;
  const follower = new AddressFollower({
    stages: [
      {
        stageId: a,
        mostReplicas,
        addresses: () => {
          asked += 1;
          return answer();
        },
      },
    ],
    actuator: bench.actuator,
    plan: { stages: { [a]: [planOf(small, 1)] } },
    clock,
    onChanged: () => news.push('changed'),
    onFailure: (step, error) => news.push(`${step}: ${error instanceof Error ? error.message : ''}`),
    onRecovery: (step) => news.push(`${step} works`),
  });
  const serving = () =>
    bench.pool
      .serving(a)
      .map(({ runner }) => runner.address)
      .toSorted();
  return {
    ...{ ...bench, clock, launcher, follower, news, serving },
    asked: () => asked,
    answerWith: (next: typeof answer) => {
      answer = next;
    },
    pass: (ms: number) => clock.advanceTo(clock.nowMs() + ms),
  };
}

describe('AddressFollower', () => {
  it('has one replica on each address after the first look, and then within a second', async () => {
    const { follower, launcher, serving, pass, asked } = await following(['a', 'b', 'c']);
    await follower.lookOnce();
    expect(serving()).toEqual(['a', 'b', 'c']);
    follower.start();
    launcher.addresses = ['a', 'b', 'c', 'd'];
    await pass(999);
    expect([serving().length, asked()]).toEqual([3, 1]);
    await pass(1);
    expect([serving(), asked()]).toEqual([['a', 'b', 'c', 'd'], 2]);
    await pass(10_000);
    expect(asked()).toBe(12);
    follower.close();
  });

  it('reports a step that throws, and looks again', async () => {
    const { actuator, follower, launcher, news, pass } = await following(['a', 'b']);
    await follower.lookOnce();
    actuator.release = () => {
      throw new Error('unknown replica');
    };
    launcher.addresses = ['a'];
    follower.start();
    await pass(2000);
    expect(news).toEqual(['changed', 'apply: unknown replica', 'apply: unknown replica']);
    follower.close();
  });

  it('drains the replica whose address is gone, and no other, after its batch', async () => {
    const { follower, launcher, pool, serving, statuses, pass } = await following(['a', 'b', 'c']);
    await follower.lookOnce();
    follower.start();
    const gone = pool.serving(a).find(({ runner }) => runner.address === 'a');
    const runner = launcher.launches.find((each) => each.runner === gone?.runner)?.runner;
    runner?.hold();
    const running = pool.run(a, gone?.replicaId ?? ('' as never), [commandItem('')]);
    launcher.addresses = ['b', 'c'];
    await pass(1000);
    expect([serving(), statuses()?.toSorted()]).toEqual([
      ['b', 'c'],
      ['draining', 'ready', 'ready'],
    ]);
    runner?.release();
    expect((await running).items).toHaveLength(1);
    await pass(1000);
    expect(statuses()).toEqual(['ready', 'ready']);
    follower.close();
  });

  it('starts none for an address that is gone', async () => {
    const { follower, launcher, serving, pass } = await following(['a', 'b', 'c']);
    await follower.lookOnce();
    const { attempts } = launcher;
    follower.start();
    launcher.addresses = ['b', 'c'];
    await pass(10_000);
    expect([serving(), launcher.attempts]).toEqual([['b', 'c'], attempts]);
    follower.close();
  });

  it('begins no second change of a stage while one runs', async () => {
    const { follower, launcher, serving, pass, news } = await following(['a']);
    await follower.lookOnce();
    follower.start();
    launcher.hold();
    launcher.addresses = ['a', 'b'];
    await pass(1000);
    launcher.addresses = ['a', 'b', 'c'];
    await pass(5000);
    expect(launcher.attempts).toBe(2);
    launcher.release();
    await pass(2000);
    expect([serving(), launcher.attempts, news]).toEqual([['a', 'b', 'c'], 3, ['changed', 'changed']]);
    follower.close();
  });

  it('has a successor ready before the last replica leaves', async () => {
    const { follower, launcher, pool, serving, pass } = await following(['a']);
    await follower.lookOnce();
    follower.start();
    let least = 1;
    pool.onEvent(() => {
      least = Math.min(least, pool.serving(a).length);
    });
    launcher.addresses = ['b'];
    await pass(2000);
    expect([serving(), least]).toEqual([['b'], 1]);
    follower.close();
  });

  it('keeps the last number while the name cannot be resolved', async () => {
    const { follower, serving, pass, answerWith, news, launcher } = await following(['a', 'b']);
    await follower.lookOnce();
    follower.start();
    answerWith(() => Promise.reject(new Error('no answer')));
    await pass(3000);
    expect(serving()).toEqual(['a', 'b']);
    expect(news).toEqual(['changed', ...Array(3).fill('observe: no answer')]);
    answerWith(async () => launcher.addresses);
    await pass(1000);
    expect(news.at(-1)).toBe('observe works');
    follower.close();
  });

  it('serves with the addresses that answer, and comes back to the others', async () => {
    const { follower, serving, pass, launcher, news } = await following(['a', 'b', 'c']);
    launcher.silent.add('b');
    await follower.lookOnce();
    expect(serving()).toEqual(['a', 'c']);
    expect(news).toEqual(['apply: each address has a replica', 'changed']);
    follower.start();
    await pass(1000);
    launcher.silent.clear();
    await pass(1000);
    expect(serving()).toEqual(['a', 'b', 'c']);
    expect(news).toContain('apply works');
    follower.close();
  });

  it('asks no more while a look has no answer, and has no more than the bound', async () => {
    const { follower, serving, pass, asked, answerWith } = await following(['a', 'b', 'c', 'd'], 2);
    await follower.lookOnce();
    expect(serving()).toEqual(['a', 'b']);
    follower.start();
    answerWith(() => new Promise(() => {}));
    await pass(10_000);
    expect(asked()).toBe(2);
    follower.close();
  });

  it('does not restart a lost replica whose address is gone', async () => {
    const { follower, launcher, statuses, pass } = await following(['a', 'b']);
    await follower.lookOnce();
    follower.start();
    launcher.addresses = ['a'];
    launcher.launches[1]?.runner.lose();
    await pass(2000);
    expect(statuses()).toEqual(['ready']);
    const { length } = launcher.launches;
    await pass(10_000);
    expect(launcher.launches).toHaveLength(length);
    follower.close();
  });
});
