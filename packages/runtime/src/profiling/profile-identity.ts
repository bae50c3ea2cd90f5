/**
 * What a profile's figures depend on: the machine, what a replica is run by, and as digests (SHA-256) the artifact, the stage module with
 * the files it imports from beside it, the parameters, and the inputs, that is the samples and everything before the stage that shapes them.
 * An artifact with a stated digest is known by that, one that lies elsewhere and is not kept here by its address and version, a server by its description, version and the variant's artifact, a module
 * inside a package by the package's own description.
 */
import { readFileSync } from 'node:fs';
import type { Isolation, PipelineSpec, StageSpec, TensorMap, VariantSpec } from '@equipoise/core/model';
import type { ServingGraph } from '@equipoise/core/serve';
import { canonicalJson, sha256 } from '../digest.js';
import { flowVariant, stagesBefore } from './flow.js';
import type { MachineFingerprint } from './machine-fingerprint.js';
import { isFile, moduleSources } from './module-sources.js';
import type { PipelineSample } from './pipeline-samples.js';

/** What runs a replica of a stage, beside Node. */
export interface StageRuntime {
  readonly isolation: Isolation;
  /** Of the interpreter, with its name; left out where the stage is not in Python or no interpreter was found. */
  readonly pythonVersion?: string;
}

/** Identity of the profile of one variant; two equal ones mean that the figures still hold. */
export interface VariantIdentity {
  readonly machine: MachineFingerprint;
  readonly runtime: StageRuntime;
  readonly artifact: string;
  readonly module: string;
  readonly parameters: string;
  readonly inputs: string;
}

/**
 * Where the file of a reference is (a path relative to `baseDir`, or `npm:package/path`), by the rule of those who load it; undefined
 * when it is not a file of this machine.
 */
export type LocateFile = (reference: string, baseDir: string) => string | undefined;

/** How the launcher that measures finds files and runs stages. */
export interface LaunchRules {
  readonly locate: LocateFile;
  readonly runtimeOf: (stage: StageSpec, baseDir: string) => StageRuntime;
}

function artifactDigest(variant: VariantSpec, baseDir: string, locate: LocateFile): string {
  if (variant.server !== undefined) {
    // Who may ask it does not change what it is.
    const { token: _, ...server } = variant.server;
    return sha256('server', canonicalJson(server), variant.version ?? '', fileDigest(variant, baseDir, locate));
  }
  return fileDigest(variant, baseDir, locate);
}

function fileDigest(variant: VariantSpec, baseDir: string, locate: LocateFile): string {
  if (variant.artifact === undefined) return 'none';
  // No replica of another content starts.
  if (variant.artifactSha256 !== undefined) return sha256('stated', variant.artifactSha256);
  const path = locate(variant.artifact, baseDir);
  if (path === undefined || !isFile(path)) return sha256('reference', variant.artifact, variant.version ?? '');
  return sha256(readFileSync(path));
}

function moduleDigest(stage: StageSpec, baseDir: string, locate: LocateFile): string {
  if (stage.module === undefined) return 'none';
  if (stage.module.startsWith('npm:')) return packageDigest(stage.module, baseDir, locate);
  const path = locate(stage.module, baseDir);
  if (path === undefined || !isFile(path)) return sha256('reference', stage.module);
  return sha256(...[...moduleSources(path).values()].sort());
}

function packageDigest(module: string, baseDir: string, locate: LocateFile): string {
  const [scopeOrName = '', name = ''] = module.slice('npm:'.length).split('/');
  const description = locate(
    `npm:${scopeOrName.startsWith('@') ? `${scopeOrName}/${name}` : scopeOrName}/package.json`,
    baseDir,
  );
  const text = description !== undefined && isFile(description) ? readFileSync(description, 'utf8') : '';
  return sha256('reference', module, text);
}

function tensorsDigest(tensors: TensorMap): string {
  const parts = Object.entries(tensors).flatMap(([name, { datatype, shape, data }]) => [
    canonicalJson([name, datatype, shape]),
    ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : canonicalJson(data.map((element) => (typeof element === 'string' ? element : [...element]))),
  ]);
  return sha256(...parts);
}

/** The identities of all variants as they are now. */
export class ProfileIdentities {
  readonly #spec: PipelineSpec;
  readonly #graph: ServingGraph;
  readonly #machine: MachineFingerprint;
  readonly #samples: string;
  readonly #rules: LaunchRules;
  readonly #modules = new Map<StageSpec, string>();
  readonly #runtimes = new Map<StageSpec, StageRuntime>();
  readonly #artifacts = new Map<VariantSpec, string>();

  constructor(
    spec: PipelineSpec,
    measured: {
      readonly graph: ServingGraph;
      readonly machine: MachineFingerprint;
      readonly samples: readonly PipelineSample[];
      readonly rules: LaunchRules;
    },
  ) {
    this.#spec = spec;
    this.#graph = measured.graph;
    this.#machine = measured.machine;
    this.#rules = measured.rules;
    this.#samples = sha256(...measured.samples.map(({ inputs }) => tensorsDigest(inputs)));
  }

  of(stage: StageSpec, variant: VariantSpec): VariantIdentity {
    const runtime = remembered(this.#runtimes, stage, () => this.#rules.runtimeOf(stage, this.#spec.baseDir));
    return { machine: this.#machine, runtime, ...this.#code(stage, variant), inputs: this.#inputs(stage) };
  }

  #code(stage: StageSpec, variant: VariantSpec) {
    const { baseDir } = this.#spec;
    const { locate } = this.#rules;
    return {
      artifact: remembered(this.#artifacts, variant, () => artifactDigest(variant, baseDir, locate)),
      module: remembered(this.#modules, stage, () => moduleDigest(stage, baseDir, locate)),
      parameters: sha256(canonicalJson(variant.parameters)),
    };
  }

  #inputs(stage: StageSpec): string {
    const before = stagesBefore(this.#graph, this.#spec.stages.indexOf(stage)).map((index) => {
      const upstream = this.#spec.stages[index] as StageSpec;
      return canonicalJson(this.#code(upstream, flowVariant(upstream)));
    });
    return sha256(this.#samples, ...before);
  }
}

function remembered<Key, Value>(known: Map<Key, Value>, key: Key, find: () => Value): Value {
  const value = known.get(key) ?? find();
  known.set(key, value);
  return value;
}

const changes: Readonly<Record<Exclude<keyof VariantIdentity, 'machine' | 'runtime'>, string>> = {
  artifact: 'the artifact changed',
  module: 'the stage module changed',
  parameters: 'the parameters changed',
  inputs: 'the samples or a stage before it changed',
};

/** In which ways a profile was measured under other conditions; empty when it still holds. */
export function identityDifferences(then: VariantIdentity, now: VariantIdentity): readonly string[] {
  const reasons = (Object.keys(changes) as (keyof typeof changes)[])
    .filter((field) => then[field] !== now[field])
    .map((field) => changes[field]);
  return [
    ...reasons,
    ...conditionDifferences({ ...then.machine }, { ...now.machine }),
    ...conditionDifferences({ ...then.runtime }, { ...now.runtime }),
  ];
}

type Conditions = Readonly<Record<string, string | number | undefined>>;

function conditionDifferences(then: Conditions, now: Conditions): readonly string[] {
  return Object.keys({ ...then, ...now })
    .filter((name) => then[name] !== now[name])
    .map((name) => `it was measured with ${name} ${then[name] ?? 'unknown'}, here it is ${now[name] ?? 'unknown'}`);
}
