/** How old the newest data of each source is. The loop decides by these sources. */
import { ageText } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';

const MOST = 12;

export function Signals({ state }: { readonly state: PipelineState }) {
  const signals = state.facts.value?.signals ?? [];
  // A past moment has no ages.
  if (signals.length === 0 || state.replayAt.value !== undefined) return null;
  const oldest = [...signals].sort(
    (a, b) => (b.ageMs ?? Number.POSITIVE_INFINITY) - (a.ageMs ?? Number.POSITIVE_INFINITY),
  );
  const shown = signals.length > MOST ? oldest.slice(0, MOST) : signals;
  return (
    <dl class="signals" aria-label="Age of each signal">
      {shown.map(({ source, ageMs }) => (
        <div key={source}>
          <dt>{source}</dt>
          <dd>{ageMs === undefined ? 'none yet' : ageText(ageMs)}</dd>
        </div>
      ))}
      {signals.length > MOST && (
        <div>
          <dt>{signals.length - MOST} newer</dt>
          <dd />
        </div>
      )}
    </dl>
  );
}
