/**
 * Cached profiles: one JSON file per pipeline, `<baseDir>/.equipoise/profiles/<pipeline>.json`, replaced atomically
 * (written aside, flushed, renamed). The file also keeps points of interrupted runs. An unreadable file counts as
 * missing, with a warning.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { isServiceCorrection } from '@equipoise/core/plan';
import { makeFolder } from '../make-folder.js';
import type { UnfinishedProfile, VariantProfile } from './measured-profile.js';

const FORMAT_VERSION = 2;

/** `warning` is set if the file is unreadable. */
export interface CachedProfiles {
  readonly variants: readonly VariantProfile[];
  readonly unfinished: readonly UnfinishedProfile[];
  readonly warning?: string;
}

export class ProfileCache {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static of(spec: PipelineSpec, folder = join(spec.baseDir, '.equipoise', 'profiles')): ProfileCache {
    return new ProfileCache(join(folder, `${encodeURIComponent(spec.name)}.json`));
  }

  read(): CachedProfiles {
    if (!existsSync(this.path)) return { variants: [], unfinished: [] };
    try {
      return profilesOf(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return {
        variants: [],
        unfinished: [],
        warning: `The profile file ${this.path} is not usable (${reason}); it counts as missing.`,
      };
    }
  }

  /** Stores the corrections of these variants, which last until the variant is profiled again. */
  correct(corrected: readonly Pick<VariantProfile, 'stageId' | 'variantId' | 'correction'>[]): void {
    const { variants, unfinished } = this.read();
    const written = variants.map((variant) => {
      const found = corrected.find(
        ({ stageId, variantId }) => stageId === variant.stageId && variantId === variant.variantId,
      );
      return found === undefined ? variant : { ...variant, correction: found.correction };
    });
    this.write(written, unfinished);
  }

  /** Throws STORE_FAILED. */
  write(variants: readonly VariantProfile[], unfinished: readonly UnfinishedProfile[] = []): void {
    const written = `${this.path}.${process.pid}.new`;
    try {
      makeFolder(dirname(this.path));
      const file = openSync(written, 'w');
      try {
        writeSync(file, `${JSON.stringify({ formatVersion: FORMAT_VERSION, variants, unfinished }, undefined, 2)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(written, this.path);
    } catch (cause) {
      throw new AppError('STORE_FAILED', `The profile file ${this.path} cannot be written.`, { cause });
    }
  }
}

function profilesOf(document: unknown): CachedProfiles {
  const { formatVersion, variants, unfinished } = (document ?? {}) as Readonly<Record<string, unknown>>;
  if (formatVersion !== FORMAT_VERSION)
    throw new Error(`format version ${String(formatVersion)} where ${FORMAT_VERSION} is read`);
  return {
    variants: listOf(variants, (value) => isVariantProfile(value) && typeof value['measuredAtEpochMs'] === 'number'),
    unfinished: listOf(unfinished, isVariantProfile),
  };
}

function listOf<Profile>(value: unknown, isOne: (element: Readonly<Record<string, unknown>>) => boolean): Profile[] {
  if (!Array.isArray(value)) throw new Error('no list of variants');
  const odd = value.findIndex((element) => !isObject(element) || !isOne(element));
  if (odd >= 0) throw new Error(`variant ${odd + 1} is not a profile`);
  return value as Profile[];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const everyIs = (value: unknown, test: (element: Readonly<Record<string, unknown>>) => boolean): boolean =>
  Array.isArray(value) && value.every((element) => isObject(element) && test(element));

const pointNumbers = ['cpuCores', 'batchSize', 'p50Ms', 'p95Ms', 'p99Ms', 'meanMs', 'throughputRps', 'batches'];

const isPoint = (point: Readonly<Record<string, unknown>>): boolean =>
  pointNumbers.every((field) => typeof point[field] === 'number');

function isVariantProfile(value: Readonly<Record<string, unknown>>): boolean {
  return (
    typeof value['stageId'] === 'string' &&
    typeof value['variantId'] === 'string' &&
    typeof value['loadMs'] === 'number' &&
    (value['depth'] === 'quick' || value['depth'] === 'full') &&
    isObject(value['identity']) &&
    isObject(value['identity']['machine']) &&
    (value['correction'] === undefined || isServiceCorrection(value['correction'])) &&
    everyIs(value['points'], isPoint) &&
    everyIs(
      value['skipped'],
      (point) => typeof point['cpuCores'] === 'number' && typeof point['batchSize'] === 'number',
    )
  );
}
