/**
 * Draws the imports between packages, and between the folders of core, from the source. Tests are excluded. An arrow
 * points from the importing to the imported part. The drawing of core omits arrows that a longer path implies
 * (transitive reduction), so that the flow of a decision remains.
 */
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';

/** An import between two packages or folders; `from` is the importing one. */
export interface RoomImport {
  readonly from: string;
  readonly to: string;
}

/** Mermaid text of the packages: every import between two of them. */
export async function drawPackages(): Promise<string> {
  return toMermaid('LR', await roomImports(/^packages\/([^/]+)\/src\//));
}

/** Mermaid text of the folders of core, without arrows that a longer path implies. */
export async function drawCoreFolders(): Promise<string> {
  return toMermaid('LR', transitiveReduction(await roomImports(/^packages\/core\/src\/([^/]+)\//)));
}

/** The imports that no path of two or more other imports implies; the input must have no cycle. */
export function transitiveReduction(imports: readonly RoomImport[]): RoomImport[] {
  const reaches = (from: string, to: string): boolean =>
    imports.some((step) => step.from === from && (step.to === to || reaches(step.to, to)));
  return imports.filter(
    ({ from, to }) => !imports.some((step) => step.from === from && step.to !== to && reaches(step.to, to)),
  );
}

/** Mermaid flowchart of the imports, sorted, so that the same graph gives the same text. */
export function toMermaid(direction: 'LR' | 'TD', imports: readonly RoomImport[]): string {
  const arrows = imports.map(({ from, to }) => `  ${from} --> ${to}`).sort();
  return ['```mermaid', `flowchart ${direction}`, ...arrows, '```'].join('\n');
}

async function roomImports(room: RegExp): Promise<RoomImport[]> {
  const { modules } = await cruiseSources();
  const found = new Map<string, RoomImport>();
  for (const module of modules) {
    const from = room.exec(module.source)?.[1];
    for (const { resolved } of module.dependencies) {
      const to = room.exec(resolved)?.[1];
      if (from !== undefined && to !== undefined && from !== to) found.set(`${from} ${to}`, { from, to });
    }
  }
  return [...found.values()];
}

async function cruiseSources(): Promise<ICruiseResult> {
  const { ruleSet: _rules, ...options } = await extractDepcruiseOptions('./.dependency-cruiser.cjs');
  const sources = {
    ...options,
    validate: false,
    exclude: { path: ['(^|/)(dist|fixtures|\\.equipoise)/', '\\.test(-support)?\\.ts$'] },
  };
  const { output } = await cruise(['packages'], sources, options.enhancedResolveOptions, {
    tsConfig: extractTsConfig('./tsconfig.base.json'),
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser returned a report instead of its findings.');
  return output;
}
