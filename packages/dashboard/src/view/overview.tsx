import type { PipelineState } from '../state/pipeline-state.js';
import { Charts } from './charts.js';
import { RecentDecisions } from './decisions-view.js';
import { GoldenFigures } from './golden-figures.js';
import { Replay } from './replay.js';
import { Signals } from './signals.js';
import { StageGraph } from './stage-graph.js';

export function Overview({ state }: { readonly state: PipelineState }) {
  return (
    <>
      <GoldenFigures state={state} />
      <Signals state={state} />
      <Replay state={state} />
      <StageGraph state={state} />
      <Charts state={state} />
      <RecentDecisions state={state} />
    </>
  );
}
