/**
 * What a profile's figures depend on, as digests (SHA-256): the machine, the artifact, the stage module with the files it imports by a
 * relative path, the parameters, and the inputs, that is the samples and everything before the stage that shapes them.
 * A remote artifact is known by its address and version alone, a module inside a package by the package's own description.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import type { PipelineSpec, ServingGraph, StageSpec, TensorMap, VariantSpec } from '@equipoise/core';
import { canonicalJson, sha256 } from '../digest.js';
import { flowVariant, stagesBefore } from './flow.js';
import type { MachineFingerprint } from './machine-fingerprint.js';
import type { PipelineSample } from './pipeline-samples.js';

/** Identity of the profile of one variant; two equal ones mean that the figures still hold. */
export interface VariantIdentity {
  readonly machine: MachineFingerprint;
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

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

function artifactDigest(variant: VariantSpec, baseDir: string, locate: LocateFile): string {
  if (variant.artifact === undefined) return 'none';
  const path = locate(variant.artifact, baseDir);
  if (path === undefined || !isFile(path)) return sha256('reference', variant.artifact, variant.version ?? '');
  return sha256(readFileSync(path));
}

/** A source file for an import path; modules name their compiled form (`./x.js`) where only the source exists. */
function sourceFile(path: string): string | undefined {
  const stem = path.slice(0, path.length - extname(path).length);
  return [path, `${stem}.ts`, `${path}.ts`, `${path}.js`, join(path, 'index.ts'), join(path, 'index.js')].find(isFile);
}

const RELATIVE_IMPORT = /(?:from|import|require)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

function collectSources(path: string, found: Map<string, string>): void {
  if (found.has(path)) return;
  const text = readFileSync(path, 'utf8');
  found.set(path, text);
  for (const [, reference] of text.matchAll(RELATIVE_IMPORT)) {
    const imported = reference === undefined ? undefined : sourceFile(resolve(dirname(path), reference));
    if (imported !== undefined) collectSources(imported, found);
  }
}

function moduleDigest(stage: StageSpec, baseDir: string, locate: LocateFile): string {
  if (stage.module === undefined) return 'none';
  if (stage.module.startsWith('npm:')) return packageDigest(stage.module, baseDir, locate);
  const path = locate(stage.module, baseDir);
  if (path === undefined || !isFile(path)) return sha256('reference', stage.module);
  const sources = new Map<string, string>();
  collectSources(path, sources);
  return sha256(...[...sources.values()].sort());
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
  readonly #locate: LocateFile;
  readonly #modules = new Map<StageSpec, string>();
  readonly #artifacts = new Map<VariantSpec, string>();

  constructor(
    spec: PipelineSpec,
    measured: {
      readonly graph: ServingGraph;
      readonly machine: MachineFingerprint;
      readonly samples: readonly PipelineSample[];
      readonly locate: LocateFile;
    },
  ) {
    this.#spec = spec;
    this.#graph = measured.graph;
    this.#machine = measured.machine;
    this.#locate = measured.locate;
    this.#samples = sha256(...measured.samples.map(({ inputs }) => tensorsDigest(inputs)));
  }

  of(stage: StageSpec, variant: VariantSpec): VariantIdentity {
    return { machine: this.#machine, ...this.#code(stage, variant), inputs: this.#inputs(stage) };
  }

  #code(stage: StageSpec, variant: VariantSpec) {
    const { baseDir } = this.#spec;
    return {
      artifact: remembered(this.#artifacts, variant, () => artifactDigest(variant, baseDir, this.#locate)),
      module: remembered(this.#modules, stage, () => moduleDigest(stage, baseDir, this.#locate)),
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

function remembered<Key>(known: Map<Key, string>, key: Key, digest: () => string): string {
  const value = known.get(key) ?? digest();
  known.set(key, value);
  return value;
}

const changes: Readonly<Record<Exclude<keyof VariantIdentity, 'machine'>, string>> = {
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
  const machine = Object.keys({ ...then.machine, ...now.machine }) as (keyof MachineFingerprint)[];
  for (const field of machine.filter((name) => then.machine[name] !== now.machine[name]))
    reasons.push(
      `it was measured with ${field} ${then.machine[field] ?? 'unknown'}, here it is ${now.machine[field] ?? 'unknown'}`,
    );
  return reasons;
}
