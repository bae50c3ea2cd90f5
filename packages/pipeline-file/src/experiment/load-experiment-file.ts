/** The grid of an experiment from disk, with everything that is wrong with it told at once. */
import { dirname, resolve } from 'node:path';
import type { ForecasterName, PolicyName } from '@equipoise/core';
import { z } from 'zod';
import { checkDocument, type DocumentRules } from '../check-document.js';
import { readText } from '../load-accuracy-table.js';
import type { Finding, Problem } from '../problem.js';
import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';
import { withoutUndefined } from '../without-undefined.js';
import { type ExperimentFile, experimentSchema } from './experiment-schema.js';

/** A load as the grid describes it: as the flags of `equipoise simulate` do. */
export interface GridLoad {
  readonly name?: string;
  readonly load?: string;
  readonly arrivalRps?: number;
  readonly durationS?: number;
  readonly arrivals?: string;
}

/** A grid. Paths are absolute or relative to `baseDir`, the folder of the file. */
export interface ExperimentGrid {
  readonly name: string;
  readonly baseDir: string;
  readonly pipelines: readonly string[];
  readonly loads: readonly GridLoad[];
  readonly policies: readonly PolicyName[];
  readonly seeds: readonly number[];
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly loadMs?: number;
}

/** The grid, or all its problems in order of position. */
export type ExperimentFileResult =
  | { readonly kind: 'valid'; readonly grid: ExperimentGrid }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const rules: DocumentRules<ExperimentFile> = {
  schema: {
    zod: experimentSchema,
    json: z.toJSONSchema(experimentSchema, { io: 'input' }) as JsonSchemaNode,
  },
  semanticFindings: (document) => {
    const spec = (document as { readonly spec?: SpecDraft } | undefined)?.spec;
    return spec === undefined ? [] : [...repeated(spec), ...unfinishedLoads(spec)];
  },
};

/** What is written, as far as it is well-formed. */
interface SpecDraft {
  readonly pipelines?: readonly unknown[];
  readonly loads?: readonly unknown[];
  readonly policies?: readonly unknown[];
  readonly seeds?: unknown;
}

/** Whatever stands twice in a list would be simulated twice and counted as two. */
function repeated(spec: SpecDraft): readonly Finding[] {
  return (['pipelines', 'loads', 'policies', 'seeds'] as const).flatMap((field) => {
    const list: unknown = spec[field];
    if (!Array.isArray(list)) return [];
    const texts = list.map((value) => JSON.stringify(value));
    return texts.flatMap((value, i) =>
      texts.indexOf(value) === i
        ? []
        : [{ path: ['spec', field, i], message: `expected something else than ${value}, which is listed already` }],
    );
  });
}

function unfinishedLoads({ loads }: SpecDraft): readonly Finding[] {
  if (!Array.isArray(loads)) return [];
  return loads.flatMap((value: unknown, i) => {
    if (typeof value !== 'object' || value === null) return [];
    const { load, arrivalRps, durationS } = value as GridLoad;
    const path = ['spec', 'loads', i];
    const timed = arrivalRps !== undefined && durationS !== undefined;
    if (load !== undefined && (arrivalRps !== undefined || durationS !== undefined))
      return [
        {
          path,
          message: 'expected either load or arrivalRps with durationS: a load file has its own rates and length',
        },
      ];
    return load === undefined && !timed ? [{ path, message: 'expected arrivalRps with durationS, or load' }] : [];
  });
}

/** Reads and checks a grid; throws AppError FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadExperimentFile(path: string): Promise<ExperimentFileResult> {
  const filePath = resolve(path);
  const checked = checkDocument(await readText(filePath, 'experiment grid'), path, rules);
  if (checked.kind === 'invalid') return checked;
  const { metadata, spec } = checked.output;
  const { loads, seeds, loadMs, ...rest } = spec;
  const grid: ExperimentGrid = {
    ...rest,
    ...{ name: metadata.name, baseDir: dirname(filePath) },
    loads: loads.map((load) => (typeof load === 'string' ? { load } : withoutUndefined(load))),
    seeds: Array.isArray(seeds) ? seeds : Array.from({ length: seeds.count }, (_, i) => seeds.from + i),
    ...(loadMs !== undefined && { loadMs }),
  };
  return { kind: 'valid', grid };
}
