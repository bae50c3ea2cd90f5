/**
 * The corpus in short: groups of attacks on one server. It must live on without a warning, answer good requests after
 * each group, and bound its memory. `bench:hostile` measures times and fractions, which depend on the machine.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GoodClients } from './good-clients.js';
import type { AttackCounts } from './hostile-client.js';
import { type ServedPipeline, servePipeline } from './served-pipeline.js';
import { loadAttacks, type NamedAttack, runAttacker } from './trial.js';

const SECONDS = 2;
const AT_ONCE = 18;
/** Ends a test that hangs; a good request usually takes milliseconds. */
const PATIENCE_MS = 60_000;
/** Batches that hang would fill a longer drain. */
const STOP_MS = 2_000;
const MOST_ADDED_MIB = 2048;
/** A defect, or any other warning of Node. */
const WARNING = /^\(node:\d+\)/;

const tools: Tool = {
  name: 'hostile',
  missing: 'install Python 3, openssl, nice and prlimit',
  isPresent: () =>
    ['python3', 'openssl', 'nice', 'prlimit'].every((name) => spawnSync(name, ['--version']).status !== null),
};
const attacks = await loadAttacks();

export function describeCorpus(of: 'plain' | 'secure'): void {
  const isSecure = of === 'secure';
  describeWithTool(tools, `hostile clients of a ${of} server`, () => {
    let server: ServedPipeline;
    let beforeMib: number;

    beforeAll(async () => {
      server = await servePipeline({ isSecure, isPatient: true });
      await recovered(server);
      beforeMib = server.memoryMib();
    });

    afterAll(() => server.stop(STOP_MS));

    it.each(groupsOf(attacks.filter(({ attack }) => (attack.server === 'secure') === isSecure)))(
      'leave it whole: %s',
      async (_names, group) => {
        const counted = await Promise.all(
          // At lowest priority they might never start on a busy machine.
          group.map((each) => runAttacker(each, server, { seconds: SECONDS })),
        );
        expect(counted.reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThan(0);
        expect(group.flatMap((each, index) => defectsOf(each, counted[index]))).toEqual([]);
        expect(server.isRunning(), server.log.slice(-20).join('\n')).toBe(true);
        await recovered(server);
        expect(server.memoryMib() - beforeMib).toBeLessThan(MOST_ADDED_MIB);
        expect(server.log.filter((line) => WARNING.test(line))).toEqual([]);
      },
    );
  });
}

/** Resolves once a round of good requests of every kind is answered. An answer to another request is an error. */
async function recovered(server: ServedPipeline): Promise<void> {
  for (;;) {
    const good = new GoodClients(server, { arrivalRps: 50, timeoutMs: PATIENCE_MS });
    await delay(200);
    const answers = await good.takeAnswers();
    await good.stop();
    expect(answers.filter(({ isWrong }) => isWrong)).toEqual([]);
    expect(server.isRunning(), server.log.slice(-20).join('\n')).toBe(true);
    if (answers.length >= 5 && answers.every(({ status }) => status === '200')) return;
  }
}

/** Answers that are errors of the server, except those that the attack provokes. */
function defectsOf({ name, attack: { allowed = [] } }: NamedAttack, counts: AttackCounts | undefined): string[] {
  const isDefect = (answer: string) => /^(500|501|502|505|grpc-2|grpc-13)$/.test(answer) && !allowed.includes(answer);
  return Object.keys(counts?.answers ?? {})
    .filter(isDefect)
    .map((answer) => `${name}: ${answer}`);
}

function groupsOf(all: readonly NamedAttack[]): [names: string, group: readonly NamedAttack[]][] {
  const count = Math.ceil(all.length / AT_ONCE);
  return Array.from({ length: count }, (_, first) => {
    const group = all.filter((_attack, index) => index % count === first);
    return [group.map(({ name }) => name).join(', '), group];
  });
}
