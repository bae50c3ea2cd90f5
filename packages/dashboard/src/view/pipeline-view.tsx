/** One pipeline: its banners, controls and the chosen view. */
import { clockText, momentText } from '../format/figures.js';
import { failureRemedy, failureTitle, skewText } from '../state/connection.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { place } from '../state/route.js';
import { Controls } from './controls.js';
import { DecisionsView } from './decisions-view.js';
import { FrontierView } from './frontier-view.js';
import { Banner, Elsewhere, Notice } from './notice.js';
import { Overview } from './overview.js';
import { ProfilesView } from './profiles-view.js';
import { RequestsView } from './requests-view.js';
import { WhatIfView } from './what-if-view.js';
import { WhyView } from './why-view.js';

export function PipelineView({ state }: { readonly state: PipelineState }) {
  const facts = state.facts.value;
  const failure = state.failure.value;
  if (facts === undefined) {
    if (failure === undefined) return <Notice kind="loading" title={`Reading ${state.name}`} />;
    return (
      <Notice kind="bad" title={failureTitle(failure)}>
        <p>{failureRemedy(failure)} This page tries again every two seconds.</p>
      </Notice>
    );
  }
  return (
    <div class={failure === undefined ? 'pipeline' : 'pipeline is-stale'}>
      <Banners state={state} />
      <Controls state={state} />
      <ShownView state={state} />
    </div>
  );
}

function ShownView({ state }: { readonly state: PipelineState }) {
  const { requests, why } = state.facts.value?.elsewhere ?? {};
  switch (place.value.view) {
    case 'overview':
      return <Overview state={state} />;
    case 'decisions':
      return <DecisionsView state={state} />;
    case 'what-if':
      return <WhatIfView state={state} />;
    case 'frontier':
      return <FrontierView state={state} />;
    case 'requests':
      if (requests !== undefined) return <Elsewhere title="The routers keep the requests" text={requests} />;
      return <RequestsView state={state} />;
    case 'why':
      if (why !== undefined) return <Elsewhere title="No diagnosis on a cluster" text={why} />;
      return <WhyView state={state} />;
    case 'profiles':
      return <ProfilesView state={state} />;
  }
}

function Banners({ state }: { readonly state: PipelineState }) {
  const failure = state.failure.value;
  const facts = state.facts.value;
  const readAtMs = state.readAtMs.value;
  const skew = skewText(state.skewMs.value);
  return (
    <>
      {failure !== undefined && (
        <Banner kind="bad">
          <strong>{failureTitle(failure)}</strong> {failureRemedy(failure)} The figures are from{' '}
          {readAtMs === undefined ? 'before' : clockText(readAtMs + state.skewMs.value)}. This page tries again every
          two seconds.
        </Banner>
      )}
      {facts?.faults.map(({ step, message, sinceEpochMs, count }) => (
        <Banner key={step} kind="warn">
          <strong>{FAULT_NAMES[step] ?? `The step ${step} fails.`}</strong> {message} Since{' '}
          {momentText(sinceEpochMs, state.nowMs())}
          {count > 1 ? `, ${count} times` : ''}. The running plan keeps serving.
        </Banner>
      ))}
      {facts?.lostPins?.map((why) => (
        <Banner key={why} kind="info">
          <strong>Pins were dropped.</strong> {why}
        </Banner>
      ))}
      {facts?.ready === false && (
        <Banner kind="warn">
          <strong>Not ready.</strong> A stage has no ready replica; requests are dropped.
        </Banner>
      )}
      {skew !== undefined && <Banner kind="info">{skew}</Banner>}
    </>
  );
}

const FAULT_NAMES: Readonly<Record<string, string>> = {
  observe: 'Observing fails.',
  forecast: 'Forecasting fails.',
  decide: 'Planning fails.',
  apply: 'Applying a plan fails.',
  store: 'Saving the state fails.',
  accuracy: 'The accuracy is lower than expected.',
};
