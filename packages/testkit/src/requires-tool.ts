/**
 * Suites that need something which not every machine has: a browser, a Prometheus server, published reference data.
 * Without it such a suite is skipped by name, the reason in its title. Where `EQUIPOISE_REQUIRE` (names separated by
 * commas) says that the machine must have it, the suite fails instead, so that a skip cannot hide.
 */
import { describe, it } from 'vitest';

/** Something a suite needs; `name` is what `EQUIPOISE_REQUIRE` calls it, `missing` says how to get it. */
export interface Tool {
  readonly name: string;
  readonly missing: string;
  isPresent(): boolean;
}

/** What becomes of a suite: it runs, is skipped, or fails because a tool that was promised is missing. */
export type SuiteFate = 'run' | 'skip' | 'fail';

/** The fate of a suite that needs `tool`; `required` is the value of `EQUIPOISE_REQUIRE`. */
export function suiteFate(tool: Tool, required: string | undefined): SuiteFate {
  if (tool.isPresent()) return 'run';
  const names = (required ?? '').split(',').map((name) => name.trim());
  return names.includes(tool.name) ? 'fail' : 'skip';
}

/** `describe`, for a suite that needs a tool. */
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
