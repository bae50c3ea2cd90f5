/**
 * Where profiles are kept between runs: one JSON file a pipeline, `<baseDir>/.equipoise/profiles/<pipeline>.json`. It is replaced as a whole
 * (written beside, flushed, renamed), so a reader sees the old or the new one. A file that cannot be understood counts as missing, with a
 * warning; it is replaced by the next measurement.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError, type PipelineSpec } from '@equipoise/core';
import type { VariantProfile } from './measured-profile.js';

const FORMAT_VERSION = 1;

/** What the file holds; `warning` when there is a file that is none. */
export interface CachedProfiles {
  readonly variants: readonly VariantProfile[];
  readonly warning?: string;
}

/** The kept profiles of one pipeline. */
export class ProfileCache {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The file of a pipeline, in `folder` if given. */
  static of(spec: PipelineSpec, folder = join(spec.baseDir, '.equipoise', 'profiles')): ProfileCache {
    return new ProfileCache(join(folder, `${encodeURIComponent(spec.name)}.json`));
  }

  read(): CachedProfiles {
    if (!existsSync(this.path)) return { variants: [] };
    try {
      return { variants: variantsOf(JSON.parse(readFileSync(this.path, 'utf8'))) };
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return {
        variants: [],
        warning: `The profile file ${this.path} is not usable (${reason}); it counts as missing.`,
      };
    }
  }

  /** Replaces the file; AppError STORE_FAILED when that is impossible. */
  write(variants: readonly VariantProfile[]): void {
    const written = `${this.path}.${process.pid}.new`;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      const file = openSync(written, 'w');
      try {
        writeSync(file, `${JSON.stringify({ formatVersion: FORMAT_VERSION, variants }, undefined, 2)}\n`);
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

function variantsOf(document: unknown): readonly VariantProfile[] {
  const { formatVersion, variants } = (document ?? {}) as { formatVersion?: unknown; variants?: unknown };
  if (formatVersion !== FORMAT_VERSION)
    throw new Error(`format version ${String(formatVersion)} where ${FORMAT_VERSION} is read`);
  if (!Array.isArray(variants)) throw new Error('no list of variants');
  const odd = variants.findIndex((variant) => !isVariantProfile(variant));
  if (odd >= 0) throw new Error(`variant ${odd + 1} is not a profile`);
  return variants as readonly VariantProfile[];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const everyIs = (value: unknown, test: (element: Readonly<Record<string, unknown>>) => boolean): boolean =>
  Array.isArray(value) && value.every((element) => isObject(element) && test(element));

const pointNumbers = ['cpuCores', 'batchSize', 'p50Ms', 'p95Ms', 'p99Ms', 'meanMs', 'throughputRps', 'batches'];

const isPoint = (point: Readonly<Record<string, unknown>>): boolean =>
  pointNumbers.every((field) => typeof point[field] === 'number');

function isVariantProfile(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['stageId'] === 'string' &&
    typeof value['variantId'] === 'string' &&
    typeof value['loadMs'] === 'number' &&
    typeof value['measuredAtEpochMs'] === 'number' &&
    (value['depth'] === 'quick' || value['depth'] === 'full') &&
    isObject(value['identity']) &&
    isObject(value['identity']['machine']) &&
    everyIs(value['points'], isPoint) &&
    everyIs(
      value['skipped'],
      (point) => typeof point['cpuCores'] === 'number' && typeof point['batchSize'] === 'number',
    )
  );
}
