/**
 * Suites that need a tool: a browser, a Prometheus server, published reference data. Without the tool, a suite is
 * skipped by name with the reason in its title. If `EQUIPOISE_REQUIRE` (names separated by commas) lists the tool, the
 * suite fails instead.
 */
import { describe, it } from 'vitest';

/** `name`: the name in `EQUIPOISE_REQUIRE`. `missing`: how to get it. */
export interface Tool {
  readonly name: string;
  readonly missing: string;
  isPresent(): boolean;
}

/** `fail`: a required tool is missing. */
export type SuiteFate = 'run' | 'skip' | 'fail';

/** `required` is the value of `EQUIPOISE_REQUIRE`. */
export function suiteFate(tool: Tool, required: string | undefined): SuiteFate {
  if (tool.isPresent()) return 'run';
  const names = (required ?? '').split(',').map((name) => name.trim());
  return names.includes(tool.name) ? 'fail' : 'skip';
}

/** `describe` for a suite that needs a tool. */
export function describeWithTool(tool: Tool, title: string, suite: () => void): void {
  const fate = suiteFate(tool, process.env['EQUIPOISE_REQUIRE']);
  if (fate === 'run') describe(title, suite);
  else if (fate === 'skip') describe.skip(`${title} (needs ${tool.name}: ${tool.missing})`, suite);
  else describe(title, () => failFor(tool));
}

function failFor({ name, missing }: Tool): void {
  it(`needs ${name}`, () => {
    throw new Error(`EQUIPOISE_REQUIRE names ${name}, but it was not found: ${missing}.`);
  });
}
