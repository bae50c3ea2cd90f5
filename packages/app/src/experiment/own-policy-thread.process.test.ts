import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { OwnPolicyThread, ownPolicyName, type PolicyLimits } from './own-policy-thread.js';
import type { PolicyDecision, PolicyTask } from './policy-thread.js';

const folder = new TestFolder();
let pipeline: Omit<Extract<PolicyTask, { kind: 'serve' }>, 'path'>;

beforeAll(async () => {
  const file = join(folder.path, folder.write('pipeline.yaml', syntheticPipeline()));
  const spec = await loadSpec(file);
  pipeline = { kind: 'serve', spec, profiles: profilesFor(spec, file), sampleArrivalsPerSecond: [20] };
});

afterAll(() => folder.remove());

const policyFile = (name: string, text: string) => join(folder.path, folder.write(`${name}.mjs`, text));

const LIMITS: PolicyLimits = { callMs: 60_000, memoryMib: 2048 };

/** A policy whose first lines in `begin` are given. */
const beginning = (name: string, body: string) =>
  policyFile(
    name,
    `export default { name: 'mine', begin() { ${body}
      const one = (variant) => ({ variant, cores: 1, batch: 1, replicas: 1 });
      return () => ({ detect: one('small'), classify: one('only') }); } };`,
  );

async function asked(path: string, limits = LIMITS): Promise<PolicyDecision> {
  const thread = new OwnPolicyThread<PolicyDecision>({ ...pipeline, path }, limits);
  try {
    return await thread.ask();
  } finally {
    await thread.close();
  }
}

describe('the thread of a policy', () => {
  it('answers with the first plan', async () => {
    const { plan } = await asked(beginning('plain', ''));
    expect(plan?.stages).toMatchObject({ detect: [{ variantId: 'small', replicas: 1 }] });
  });

  it('ends a policy that loops for ever, and names its file and the limit', async () => {
    const path = policyFile('loops', 'for (;;);');
    const message = `${path}: the policy did not answer within 0.05 s (while it was loaded). Check it for an endless loop.`;
    await expect(asked(path, { ...LIMITS, callMs: 50 })).rejects.toMatchObject({ code: 'POLICY_FAILED', message });
  });

  it.each([
    ['exits', 'process.exit(0);', 'ended its thread with exit code 0 (in begin or the first answer)'],
    ['throws', "throw new Error('no idea');", 'policy "mine": begin threw: no idea'],
    ['throws-no-text', 'throw Object.create(null);', 'policy "mine": begin threw: a value without a text'],
  ])('names the call in which a policy %s', async (name, body, reason) => {
    const path = beginning(name, body);
    await expect(asked(path)).rejects.toMatchObject({
      code: 'POLICY_FAILED',
      message: expect.stringContaining(reason),
    });
  });

  it('names the file of a policy that exhausts its memory', async () => {
    const path = beginning('large', 'for (const kept = []; ; ) kept.push(new Array(1e5).fill(1.5));');
    const message = `${path}: the policy used more than 128 MiB of memory (in begin or the first answer). Keep less in it.`;
    await expect(asked(path, { ...LIMITS, memoryMib: 128 })).rejects.toMatchObject({ code: 'POLICY_FAILED', message });
  });

  it('keeps an answer from before its end, and refuses later questions', async () => {
    const path = beginning('late', "process.nextTick(() => { throw new Error('too late'); });");
    const thread = new OwnPolicyThread<PolicyDecision>({ ...pipeline, path });
    expect((await thread.ask()).plan).toBeDefined();
    const observation = { atMs: 0, arrivalsPerSecond: [], stages: {} };
    await expect(thread.ask(observation)).rejects.toMatchObject({
      code: 'POLICY_FAILED',
      message: `${path}: the policy failed outside its answers (in begin or the first answer): too late.`,
    });
    await thread.close();
  });

  it('tells the end of a policy that throws undefined', async () => {
    const path = beginning('nothing', 'process.nextTick(() => { throw undefined; });');
    const thread = new OwnPolicyThread<PolicyDecision>({ ...pipeline, path });
    expect((await thread.ask()).plan).toBeDefined();
    await expect(thread.ask({ atMs: 0, arrivalsPerSecond: [], stages: {} })).rejects.toMatchObject({
      code: 'POLICY_FAILED',
      message: `${path}: the policy failed outside its answers (in begin or the first answer): undefined.`,
    });
    await thread.close();
    const loading = policyFile('loading', 'throw Object.create(null);');
    await expect(ownPolicyName(loading)).rejects.toMatchObject({
      code: 'POLICY_FAILED',
      message: `${loading}: the policy cannot be loaded: a value without a text.`,
    });
  });

  it('names the file of a policy whose exports cannot be read', async () => {
    const path = policyFile('getter', 'export default { get name() { throw null; } };');
    const message = `${path}: the policy cannot be loaded: null.`;
    await expect(ownPolicyName(path)).rejects.toMatchObject({ code: 'POLICY_FAILED', message });
  });

  it('ends a policy that keeps its thread busy between its answers', async () => {
    const path = beginning('busy', 'queueMicrotask(() => { for (;;); });');
    const thread = new OwnPolicyThread<PolicyDecision>({ ...pipeline, path }, { ...LIMITS, callMs: 3000 });
    expect((await thread.ask()).plan).toBeDefined();
    await expect(thread.ask({ atMs: 0, arrivalsPerSecond: [], stages: {} })).rejects.toMatchObject({
      code: 'POLICY_FAILED',
      message: `${path}: the policy did not answer within 3 s (after its last answer). Check it for an endless loop.`,
    });
    await thread.close();
  });

  /** Output of this process while the policy runs. */
  async function printed(run: () => Promise<unknown>) {
    const [out, errors]: [string[], string[]] = [[], []];
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0),
      vi.spyOn(process.stderr, 'write').mockImplementation((text) => errors.push(String(text)) > 0),
    ];
    try {
      await run();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return { out: out.join(''), errors: errors.join('') };
  }

  const PRINTS = "for (let i = 1; i <= 50; i++) console.log('line ' + i);";
  const LINES = Array.from({ length: 50 }, (_, i) => `line ${i + 1}\n`).join('');

  it('writes what a policy prints to stderr, to the last line', async () => {
    const path = policyFile('prints', `${PRINTS} export default { name: 'loud', begin() {} };`);
    const { out, errors } = await printed(async () => expect(await ownPolicyName(path)).toBe('loud'));
    expect(errors).toContain(LINES);
    expect(out).not.toContain('line');
  });

  it('writes all that a policy prints before it fails', async () => {
    const path = beginning('fails', `${PRINTS} throw new Error('no idea');`);
    const { errors } = await printed(() => expect(asked(path)).rejects.toThrow('no idea'));
    expect(errors).toContain(LINES);
  });

  it('answers although the policy closed its output', async () => {
    expect((await asked(beginning('ends', "process.stdout.end('bye');"))).plan).toBeDefined();
    expect((await asked(beginning('replaces', 'process.stdout.write = () => true;'))).plan).toBeDefined();
  });
});
