/**
 * Diagnosis of a window: is the SLO missed, or does a part deviate plainly? Suspects are compared by the factor by which
 * each raises the load of the stage that gives way. The reference is the time before; without it, plan and profile.
 * Pure: the same window gives the same card, served or simulated.
 */
import { AppError } from '../model/app-error.js';
import { bottleneck } from './bottleneck.js';
import { CaseFile, type DiagnosisInput } from './case-file.js';
import { counterfactual } from './counterfactual.js';
import { firstSignal } from './first-signal.js';
import type { Counterfactual, IncidentCard, Suspect } from './incident-card.js';
import { clientSuspects } from './suspects/client-suspects.js';
import { failureSuspects } from './suspects/failure-suspects.js';
import { loadSuspects } from './suspects/load-suspects.js';
import { priceSuspects } from './suspects/price-suspects.js';
import { serviceSuspects } from './suspects/service-suspects.js';

/** Weight of a stage at which requests do not wait. */
const ELSEWHERE = 0.5;

export function diagnose(input: DiagnosisInput): IncidentCard {
  const measured = new CaseFile(input);
  const { from, to } = measured.asked;
  if (to <= from) {
    const { fromEpochMs, toEpochMs } = input;
    return { verdict: 'no-data', fromEpochMs, toEpochMs, text: 'no second of the history is in this window' };
  }
  const { fromEpochMs, toEpochMs } = measured.known;
  const { harm } = measured;
  const file = measured.isHarmed && !measured.isCertain ? suspectedOf(input, measured) : measured;
  const [first, second] = suspectsOf(file);
  if (!file.isCertain && first === undefined) {
    const chance = measured.isHarmed ? ', more by chance' : '';
    const text = `${harm.missed} of ${harm.requests} requests missed the SLO, which allows ${percent(harm.allowedFraction)}${chance}; no part deviates`;
    return { verdict: 'healthy', fromEpochMs, toEpochMs, harm, text };
  }
  const chosen = first ?? unexplained(file);
  const helps = file.isHarmed ? remedy(file, chosen) : undefined;
  return {
    verdict: 'incident',
    fromEpochMs,
    toEpochMs,
    harmful: measured.isHarmed,
    harm,
    episode: { fromEpochMs: file.epochMsOf(file.episode.from) - 1000, toEpochMs: file.epochMsOf(file.episode.to - 1) },
    cause: chosen.cause,
    ...(chosen.stageId !== undefined && { stageId: chosen.stageId }),
    ...(chosen.replicaId !== undefined && { replicaId: chosen.replicaId }),
    summary: chosen.summary,
    firstSignal: firstSignal(file, chosen),
    evidence: chosen.evidence,
    ...(second !== undefined && {
      runnerUp: { cause: second.cause, stageId: second.stageId, against: against(chosen, second) },
    }),
    ...(helps !== undefined && { counterfactual: helps }),
  };
}

/**
 * The worst part of misses that chance may explain may be anywhere. Without a suspect there, all of the window counts, as
 * if it met the SLO: more misses must not hide a plainly slow replica.
 */
const suspectedOf = (input: DiagnosisInput, measured: CaseFile): CaseFile =>
  suspectsOf(measured).length > 0 ? measured : new CaseFile(input, true);

/** Undefined also for a pipeline that cannot be planned: the rest of the card does not depend on it. */
function remedy(file: CaseFile, suspect: Suspect): Counterfactual | undefined {
  try {
    return counterfactual(file, suspect);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** Strongest first. */
function suspectsOf(file: CaseFile): readonly Suspect[] {
  const narrow = file.isHarmed ? bottleneck(file) : undefined;
  const found = file.stageIds.flatMap((_, stage) => {
    const weight = narrow === undefined || stage === narrow ? 1 : ELSEWHERE;
    const here = [...failureSuspects(file, stage), ...serviceSuspects(file, stage)];
    return here.map((suspect) => ({ ...suspect, score: weight * suspect.score }));
  });
  const general = narrow === undefined ? priceSuspects(file) : [...loadSuspects(file, narrow), ...clientSuspects(file)];
  return [...found, ...general].toSorted((a, b) => b.score - a.score);
}

function unexplained(file: CaseFile): Suspect {
  const stageId = file.stageIds[bottleneck(file)];
  const summary = `requests miss the SLO at stage ${stageId}, but no load, service time, failure, budget or client explains it`;
  return { cause: 'unknown', stageId, score: 0, summary, evidence: [] };
}

function against(chosen: Suspect, other: Suspect): string {
  const factor = (score: number) => `${Math.exp(score).toPrecision(3)} ×`;
  if (!Number.isFinite(chosen.score))
    return `without the spoiled requests the SLO is met, so "${other.summary}" does no harm`;
  return `"${other.summary}" explains ${factor(other.score)} the work, "${chosen.summary}" ${factor(chosen.score)}`;
}

const percent = (fraction: number): string => `${Number((100 * fraction).toFixed(3))} %`;
