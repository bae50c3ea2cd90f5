/** Render targets. Without a suffix our router walks the graph; with `:theirs` the engine does. */
export const renderTargets = [
  'deployment',
  'seldon-v2',
  'seldon-v1',
  'kserve',
  'seldon-v2:theirs',
  'seldon-v1:theirs',
  'kserve:theirs',
] as const;

export type RenderTarget = (typeof renderTargets)[number];

/** An engine that can walk the graph. */
export type GraphEngine = 'seldon-v2' | 'seldon-v1' | 'kserve';

/** The engine that walks the graph of a target; undefined if our router does. */
export function graphEngineOf(target: RenderTarget): GraphEngine | undefined {
  const [engine, mode] = target.split(':');
  return mode === undefined ? undefined : (engine as GraphEngine);
}
