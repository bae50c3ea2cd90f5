import type { ControlMode, DecisionRecord, ManualAction, StagePins } from '@equipoise/core/model';

const EFFECT: Readonly<Record<ControlMode, string>> = {
  auto: 'the loop plans and acts',
  advise: 'the loop plans and logs its decisions, but changes nothing',
  off: 'the loop neither plans nor changes anything',
};

export function actionResult({ manual, mode = 'off', decision, outcome }: DecisionRecord): string {
  const inMode = `mode ${mode}`;
  if (decision?.kind === 'apply') {
    const took = outcome?.kind === 'applied' ? `in force after ${outcome.tookMs.toFixed(0)} ms` : givenUp(outcome);
    return `${took}: ${decision.reason}; ${inMode}, ${EFFECT[mode]}`;
  }
  return manual?.pins === undefined ? `${inMode}: ${EFFECT[mode]}` : `${pinsText(manual.pins)}; ${keepsText(mode)}`;
}

function givenUp(outcome: DecisionRecord['outcome']): string {
  return outcome?.kind === 'given-up' ? `given up (${outcome.message})` : 'not in force';
}

export function pinsText(pins: NonNullable<ManualAction['pins']>): string {
  const held = Object.entries(pins).map(([id, each]) => `${id} is pinned to ${choicesText(each)}`);
  return held.length === 0 ? 'only pins of the pipeline file remain' : held.join('; ');
}

function choicesText(pins: StagePins): string {
  return Object.entries(pins)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

const keepsText = (mode: ControlMode): string =>
  mode === 'auto' ? 'the next plan follows it' : `mode ${mode}: nothing is changed for it now`;
