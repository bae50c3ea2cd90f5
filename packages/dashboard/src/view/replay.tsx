/** Scrubber over the last hour: the figures and the graph show the chosen moment until the page is live again. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { clockText } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';

const STEP_MS = 1000;
const FRAME_MS = 200;
const SPEED = 20;

export function Replay({ state }: { readonly state: PipelineState }) {
  const points = state.history.value;
  const isPlaying = useSignal(false);
  const [first, last] = [points[0]?.atEpochMs ?? 0, points.at(-1)?.atEpochMs ?? 0];
  const at = state.replayAt.value;
  useEffect(() => {
    if (!isPlaying.value) return undefined;
    const timer = setInterval(() => {
      const next = (state.replayAt.peek() ?? first) + SPEED * FRAME_MS;
      const end = state.history.peek().at(-1)?.atEpochMs ?? 0;
      state.replayAt.value = next >= end ? undefined : next;
      if (next >= end) isPlaying.value = false;
    }, FRAME_MS);
    return () => clearInterval(timer);
  }, [isPlaying.value]);
  if (points.length < 10) return null;
  return (
    <section class={at === undefined ? 'replay' : 'replay is-past'} aria-label="Replay of the last hour">
      <button
        type="button"
        onClick={() => {
          if (at === undefined) state.replayAt.value = first;
          isPlaying.value = !isPlaying.value;
        }}
      >
        {isPlaying.value ? 'Stop' : 'Replay'}
      </button>
      <input
        type="range"
        aria-label="Moment shown"
        aria-valuetext={at === undefined ? 'live' : clockText(at)}
        min={first}
        max={last}
        step={STEP_MS}
        value={at ?? last}
        onInput={({ currentTarget }) => {
          const value = Number(currentTarget.value);
          // One step to the left of now is a past moment, so that arrow keys can leave now.
          state.replayAt.value = value > last - STEP_MS ? undefined : value;
        }}
      />
      <output>{at === undefined ? 'Live' : clockText(at)}</output>
      {at !== undefined && (
        <button
          type="button"
          class="primary"
          onClick={() => {
            isPlaying.value = false;
            state.replayAt.value = undefined;
          }}
        >
          Back to live
        </button>
      )}
    </section>
  );
}
