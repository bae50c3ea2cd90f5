/** Module hooks that mark the entries of `controlStep` and of the solver in the compiled code of core. */
import { markFunctions } from './mark-functions.mjs';

const SOLVER = '/core/dist/optimize/optimize.js';

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!/\/core\/dist\/(control|optimize)\//.test(url) || loaded.source === undefined) return loaded;
  const markOf = (name) => {
    if (url.endsWith(SOLVER)) return 'solve';
    return name === 'controlStep' ? 'step' : undefined;
  };
  return { ...loaded, source: markFunctions(String(loaded.source), markOf) };
}
