/** Grid rules that a schema cannot express. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Finding } from '../problem.js';
import { nearestSpelling } from '../schema-problems/nearest-spelling.js';
import { gridLoadName, type LoadDescription } from './experiment-grid.js';

export interface GridPlaces {
  readonly baseDir: string;
  readonly shippedLoads: readonly string[];
}

interface SpecDraft {
  readonly pipelines?: readonly unknown[];
  readonly loads?: readonly unknown[];
  readonly policies?: readonly unknown[];
  readonly seeds?: unknown;
}

export function gridFindings(document: unknown, places: GridPlaces): readonly Finding[] {
  const spec = (document as { readonly spec?: SpecDraft } | undefined)?.spec;
  if (spec === undefined) return [];
  return [...repeated(spec), ...missingPipelines(spec, places), ...loadFindings(spec, places)];
}

/** A repeated entry would be counted twice. */
function repeated(spec: SpecDraft): readonly Finding[] {
  return (['pipelines', 'policies', 'seeds'] as const).flatMap((field) => {
    const list: unknown = spec[field];
    if (!Array.isArray(list)) return [];
    return list.flatMap((value: unknown, i) =>
      list.indexOf(value) === i
        ? []
        : [{ path: ['spec', field, i], message: `expected something else than ${value}, which is listed already` }],
    );
  });
}

function missingPipelines({ pipelines = [] }: SpecDraft, { baseDir }: GridPlaces): readonly Finding[] {
  return pipelines.flatMap((file, i) =>
    typeof file !== 'string' || existsSync(resolve(baseDir, file))
      ? []
      : [
          {
            path: ['spec', 'pipelines', i],
            message: `expected a pipeline file, found none at ${resolve(baseDir, file)}`,
          },
        ],
  );
}

function loadFindings({ loads = [] }: SpecDraft, places: GridPlaces): readonly Finding[] {
  const described = loads.map((value) =>
    typeof value === 'string' ? { load: value } : ((value ?? undefined) as LoadDescription | undefined),
  );
  const names = described.map((load) => (load === undefined ? undefined : gridLoadName(load)));
  return described.flatMap((load, i): readonly Finding[] => {
    if (load === undefined) return [];
    const own = [...lengthFindings(load, i), ...unknownLoad(load, { ...places, path: loadPath(loads, i) })];
    const first = names.indexOf(names[i]);
    return own.length > 0 || first === i ? own : [sameName(i, first, names[i] ?? '')];
  });
}

const loadPath = (loads: readonly unknown[], i: number): Finding['path'] =>
  typeof loads[i] === 'string' ? ['spec', 'loads', i] : ['spec', 'loads', i, 'load'];

function lengthFindings({ load, arrivalRps, durationS }: LoadDescription, i: number): readonly Finding[] {
  const path = ['spec', 'loads', i];
  const [rated, timed] = [arrivalRps !== undefined, durationS !== undefined];
  if (load === undefined)
    return rated && timed ? [] : [{ path, message: 'expected arrivalRps with durationS, or load' }];
  const message = 'expected either load or arrivalRps with durationS: a load file has its own rates and length';
  return rated || timed ? [{ path, message }] : [];
}

function unknownLoad(
  { load }: LoadDescription,
  { path, baseDir, shippedLoads }: GridPlaces & { readonly path: Finding['path'] },
): readonly Finding[] {
  if (load === undefined || shippedLoads.includes(load) || existsSync(resolve(baseDir, load))) return [];
  const message = `expected a shipped load (${shippedLoads.join(', ')}) or a load file, found ${load}`;
  const suggestion = nearestSpelling(load, shippedLoads);
  return [{ path, message, ...(suggestion !== undefined && { suggestion }) }];
}

const sameName = (i: number, first: number, name: string): Finding => ({
  path: ['spec', 'loads', i],
  message: `expected a unique name, found "${name}", already used by spec.loads[${first}]; add name`,
});
