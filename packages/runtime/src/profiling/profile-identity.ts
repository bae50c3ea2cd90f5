/**
 * Conditions of a profile: machine, runtime, and SHA-256 digests of artifact, stage module with local imports,
 * parameters, and inputs (samples and all earlier stages). A stated artifact digest is used as is.
 */
import { readFileSync } from 'node:fs';
import type { ServingGraph } from '@equipoise/core/graph';
import type { Isolation, PipelineSpec, StageSpec, TensorMap, VariantSpec } from '@equipoise/core/model';
import { canonicalJson, sha256 } from '../digest.js';
import { flowVariant, stagesBefore } from './flow.js';
import type { MachineFingerprint } from './machine-fingerprint.js';
import { modelDigest } from './model-files.js';
import { isFile, moduleSources } from './module-sources.js';
import type { PipelineSample } from './pipeline-samples.js';

export interface StageRuntime {
  readonly isolation: Isolation;
  /** Only for Python stages with an interpreter. */
  readonly pythonVersion?: string;
}

/** A profile is valid if its identity equals the current one. */
export interface VariantIdentity {
  readonly machine: MachineFingerprint;
  readonly runtime: StageRuntime;
  readonly artifact: string;
  readonly module: string;
  readonly parameters: string;
  readonly inputs: string;
}

/**
 * Resolves a reference (a path relative to `baseDir`, or `npm:package/path`) like the loader; undefined if it is no
 * file of this machine.
 */
export type LocateFile = (reference: string, baseDir: string) => string | undefined;

export interface LaunchRules {
  readonly locate: LocateFile;
  readonly runtimeOf: (stage: StageSpec, baseDir: string) => StageRuntime;
}

function artifactDigest(variant: VariantSpec, baseDir: string, locate: LocateFile): string {
  if (variant.server !== undefined) {
    // Access rights do not change the server.
    const { token: _, ...server } = variant.server;
    return sha256('server', canonicalJson(server), variant.version ?? '', fileDigest(variant, baseDir, locate));
  }
  return fileDigest(variant, baseDir, locate);
}

function fileDigest(variant: VariantSpec, baseDir: string, locate: LocateFile): string {
  if (variant.artifact === undefined) return 'none';
  // Replicas refuse artifacts with another digest.
  if (variant.artifactSha256 !== undefined) return sha256('stated', variant.artifactSha256);
  const path = locate(variant.artifact, baseDir);
  const digest = path === undefined ? undefined : modelDigest(path);
  return digest ?? sha256('reference', variant.artifact, variant.version ?? '');
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

export function tensorsDigest(tensors: TensorMap): string {
  const parts = Object.entries(tensors).flatMap(([name, { datatype, shape, data }]) => [
    canonicalJson([name, datatype, shape]),
    ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : canonicalJson(data.map((element) => (typeof element === 'string' ? element : [...element]))),
  ]);
  return sha256(...parts);
}

/** Digests of the code, model and parameters of variants. */
export class CodeDigests {
  readonly #baseDir: string;
  readonly #locate: LocateFile;
  readonly #modules = new Map<StageSpec, string>();
  readonly #artifacts = new Map<VariantSpec, string>();

  constructor(baseDir: string, locate: LocateFile) {
    this.#baseDir = baseDir;
    this.#locate = locate;
  }

  of(stage: StageSpec, variant: VariantSpec): Pick<VariantIdentity, 'artifact' | 'module' | 'parameters'> {
    const [baseDir, locate] = [this.#baseDir, this.#locate];
    return {
      artifact: remembered(this.#artifacts, variant, () => artifactDigest(variant, baseDir, locate)),
      module: remembered(this.#modules, stage, () => moduleDigest(stage, baseDir, locate)),
      parameters: sha256(canonicalJson(variant.parameters)),
    };
  }
}

export class ProfileIdentities {
  readonly #spec: PipelineSpec;
  readonly #graph: ServingGraph;
  readonly #machine: MachineFingerprint;
  readonly #samples: string;
  readonly #rules: LaunchRules;
  readonly #code: CodeDigests;
  readonly #runtimes = new Map<StageSpec, StageRuntime>();

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
    this.#code = new CodeDigests(spec.baseDir, measured.rules.locate);
    this.#samples = sha256(...measured.samples.map(({ inputs }) => tensorsDigest(inputs)));
  }

  of(stage: StageSpec, variant: VariantSpec): VariantIdentity {
    const runtime = remembered(this.#runtimes, stage, () => this.#rules.runtimeOf(stage, this.#spec.baseDir));
    return { machine: this.#machine, runtime, ...this.#code.of(stage, variant), inputs: this.#inputs(stage) };
  }

  #inputs(stage: StageSpec): string {
    const at = this.#spec.stages.indexOf(stage);
    const indices = stagesBefore(this.#graph, at);
    const before = indices.map((index) => {
      const upstream = this.#spec.stages[index];
      const combine = this.#graph.nodes[index]?.combine;
      return canonicalJson(upstream === undefined ? combine : this.#code.of(upstream, flowVariant(upstream)));
    });
    const passed = this.#graph.edges.flatMap(({ to, inputs }) =>
      inputs !== undefined && (to === at || indices.includes(to)) ? [canonicalJson({ to, inputs })] : [],
    );
    return sha256(this.#samples, ...before, ...passed);
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
  inputs: 'the samples or an earlier stage changed',
};

/** Differences in words; empty if the profile is valid. */
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
