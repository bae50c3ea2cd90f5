import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';

const folder = new TestFolder();
const render = (...args: string[]) => equipoiseHere(folder.path, 'k8s', 'render', ...args);

interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

const itemsOf = (ended: Parameters<typeof documentOf>[0]) =>
  (documentOf(ended) as { readonly items: readonly Item[] }).items;

const imagesOf = (items: readonly Item[]) =>
  Object.fromEntries(
    items
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ metadata, spec }) => [metadata.name, spec?.template?.spec.containers[0]?.image]),
  );

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
});

afterAll(() => folder.remove());

// Some tests run the command several times.
describe('equipoise k8s render', { timeout: 60_000 }, () => {
  it('renders the routers of the file, or of a plan, each with its share', async () => {
    folder.write('two.yaml', syntheticPipeline({ spec: 'routers: 2', cpuCores: 8 }));
    const plan = await equipoiseHere(folder.path, 'plan', 'two.yaml', '--arrival-rps', '20', '--out', 'two.json');
    expect(plan).toMatchObject({ exitCode: 0 });
    const made = await render('two.yaml', '--arrival-rps', '20');
    const kept = await render('two.yaml', '--plan', 'two.json');
    expect(kept.stdout).toBe(made.stdout);
    // A plan for another load restarts no router.
    expect(made.stdout).not.toContain('--arrival-rps');
    expect(made.stdout).toContain('name: synthetic--router-1');
  });

  it('refuses more routers than the bounds of a stage allow', async () => {
    const detect = 'bounds: { replicas: { min: 1, max: 2 } }';
    folder.write('bounded.yaml', syntheticPipeline({ detect, spec: 'routers: 3' }));
    const refused = await render('bounded.yaml');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('3 routers need a multiple of 3 replicas of detect, found none from 1 to 2');
  });

  it('prints documents of YAML, the same for the same plan', async () => {
    const plan = await equipoiseHere(folder.path, 'plan', 'pipeline.yaml', '--arrival-rps', '20', '--out', 'plan.json');
    expect(plan).toMatchObject({ exitCode: 0 });
    const [made, kept, other] = await Promise.all([
      render('pipeline.yaml', '--arrival-rps', '20'),
      render('pipeline.yaml', '--plan', 'plan.json'),
      render('pipeline.yaml', '--plan', 'plan.json', '--arrival-rps', '30'),
    ]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(made.stdout.split('\n---\n').length).toBeGreaterThan(10);
    expect(made.stdout).toMatch(/^kind: Deployment$/m);
    expect(kept.stdout).toBe(made.stdout);
    // The plan is for its own load.
    expect(other.stdout).toBe(made.stdout);
  });

  it('gives images to all, to a stage and to a variant, in a namespace', async () => {
    const images = ['--image', 'all:1', '--image', 'classify=classify:2'];
    const items = itemsOf(await render('pipeline.yaml', ...images, '--namespace', 'models', '--json'));
    expect(items.every(({ metadata }) => metadata.namespace === 'models')).toBe(true);
    const found = imagesOf(items);
    expect(found['synthetic']).toBe('all:1');
    expect(Object.entries(found).find(([name]) => name.startsWith('synthetic--classify'))?.[1]).toBe('classify:2');
  });

  it('takes the image of this version where none is named', async () => {
    const { stdout } = await equipoiseHere(folder.path, '--version');
    const items = itemsOf(await render('pipeline.yaml', '--json'));
    expect(imagesOf(items)['synthetic']).toBe(`equipoise:${stdout.trim()}`);
  });

  it.each([
    ['kserve', 'InferenceService'],
    ['seldon-v1', 'SeldonDeployment'],
    ['seldon-v2', 'Deployment'],
    ['seldon-v1:theirs', 'SeldonDeployment'],
    ['kserve:theirs', 'InferenceGraph'],
  ])('renders for %s', async (target, kind) => {
    const items = itemsOf(await render('pipeline.yaml', '--target', target, '--json'));
    expect(items.map((item) => item.kind)).toContain(kind);
  });

  it('refuses what an engine cannot run, with the words of validate, and plans with its hops', async () => {
    const target = ['--target', 'seldon-v2:theirs'];
    const refused = await render('pipeline.yaml', ...target, '--json');
    const checked = await equipoiseHere(folder.path, 'validate', 'pipeline.yaml', ...target, '--json');
    expect([refused.exitCode, checked.exitCode]).toEqual([1, 1]);
    const { problems } = documentOf(checked) as {
      readonly problems: readonly { readonly path: string; readonly line: number; readonly message: string }[];
    };
    expect(problems[0]).toMatchObject({ path: 'spec.stages[0].variants[0].server', line: expect.any(Number) });
    expect(problems[0]?.message).toMatch(/^Seldon Core 2 runs only models on MLServer .* Use --target seldon-v2, /);
    const { error } = documentOf(refused) as { readonly error: { readonly message: string } };
    expect(error.message).toBe(problems.map(({ message }) => message).join('\n'));

    const kserve = ['pipeline.yaml', '--target', 'kserve:theirs'];
    const valid = documentOf(await equipoiseHere(folder.path, 'validate', ...kserve, '--json'));
    expect(valid).toMatchObject({ valid: true, target: 'kserve:theirs' });
    expect((valid as { readonly without: readonly string[] }).without[0]).toMatch(/^deadlines: /);
    const planned = await equipoiseHere(folder.path, 'plan', ...kserve, '--arrival-rps', '20', '--json');
    expect(documentOf(planned)).toMatchObject({ engine: { target: 'kserve:theirs', overheadMs: 6 } });
  });

  it('renders nothing where no plan meets the SLO, and says what tells more', async () => {
    const ended = await render('pipeline.yaml', '--arrival-rps', '1000000', '--json');
    expect(ended).toMatchObject({ exitCode: 1 });
    expect(documentOf(ended)).toMatchObject({
      error: {
        code: 'INFEASIBLE',
        message: expect.stringContaining('`equipoise plan pipeline.yaml --arrival-rps 1000000` says what would help'),
      },
    });
  });

  it.each([
    [['--target', 'nomad'], 2, 'Allowed choices are deployment, seldon-v2, seldon-v1, kserve'],
    [['--namespace', 'My_Models'], 2, 'Expected a namespace'],
    [['--image', 'classify='], 2, 'Expected IMAGE, STAGE=IMAGE or STAGE/VARIANT=IMAGE'],
    [['--image', 'clasify=x:1'], 2, 'There is no stage or variant clasify to give an image'],
    [['--plan', 'none.json'], 3, 'plan not found'],
  ])('tells what is wrong with %j', async (flags, exitCode, words) => {
    const ended = await render('pipeline.yaml', ...flags);
    expect(ended).toMatchObject({ exitCode, stdout: '' });
    expect(ended.stderr).toContain(words);
  });

  it('shows its help where no command of k8s is named', async () => {
    const { exitCode, stdout, stderr } = await equipoiseHere(folder.path, 'k8s');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('equipoise k8s [options] [command]');
  });
});

const pipelineFolder = new TestFolder();
const pipeline = (...args: string[]) => equipoiseHere(pipelineFolder.path, 'k8s', 'pipeline', ...args);

interface Printed {
  readonly metadata: { readonly annotations?: unknown; readonly namespace?: string };
  readonly spec: { readonly control?: unknown };
}

beforeAll(() => {
  pipelineFolder.write('pipeline.yaml', `# as it was written\n${syntheticPipeline()}`);
});
afterAll(() => pipelineFolder.remove());

describe('equipoise k8s pipeline', { timeout: 60_000 }, () => {
  it('prints the file as it was written, in a namespace, with load and images for the operator', async () => {
    const flags = ['--namespace', 'models', '--arrival-rps', '40', '--image', 'all:1', '--image', 'detect=own:2'];
    const [text, json] = await Promise.all([
      pipeline('pipeline.yaml', ...flags),
      pipeline('pipeline.yaml', ...flags, '--json'),
    ]);
    expect(text).toMatchObject({ exitCode: 0, stderr: '' });
    expect(text.stdout).toMatch(/^# as it was written\n/);
    const { metadata, spec } = documentOf(json) as Printed;
    const annotations = { 'equipoise.dev/arrival-rps': '40', 'equipoise.dev/images': 'all:1 detect=own:2' };
    expect(metadata).toEqual({ name: 'synthetic', namespace: 'models', annotations });
    // On a cluster the mode is `advise` unless the file says otherwise.
    expect(spec.control).toBeUndefined();
  });

  it('says which command measures what is missing', async () => {
    await equipoiseHere(pipelineFolder.path, 'init', 'fresh');
    const missing = await pipeline('fresh/pipeline.yaml');
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toContain('PROFILE_MISSING');
  });

  it('refuses an image for a stage that there is not', async () => {
    const ended = await pipeline('pipeline.yaml', '--image', 'clasify=x:1');
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain('There is no stage or variant clasify');
  });
});
