/** Result of a manual action in one line. */
import type { ControlMode, DecisionRecord, ManualAction, StagePins } from '@equipoise/core/model';

const EFFECT: Readonly<Record<ControlMode, string>> = {
  auto: 'the loop plans and acts',
  advise: 'the loop decides, writes it down and changes nothing',
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
  const held = Object.entries(pins).map(([id, each]) => `${id} is held to ${choicesText(each)}`);
  return held.length === 0 ? 'nothing is held but by the pipeline file' : held.join('; ');
}

function choicesText(pins: StagePins): string {
  return Object.entries(pins)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

const keepsText = (mode: ControlMode): string =>
  mode === 'auto' ? 'the next plan goes by it' : `mode ${mode}: nothing is changed for it now`;
