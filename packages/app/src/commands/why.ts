/** `equipoise why`: the incident card of a served pipeline, from its admin port. */
import type { IncidentCard } from '@equipoise/core/diagnose';
import { AppError } from '@equipoise/core/model';
import { type AdminAccess, askAdmin, pipelineNamed, serverNowMs } from '../compose/admin-client.js';
import { incidentText } from '../terminal/incident-text.js';
import type { CommandResult } from '../terminal/run-command.js';

export interface WhyOptions extends AdminAccess {
  /** Times in ms since 1970. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Length of the window in ms, up to `to` or now. */
  readonly last?: number | undefined;
}

/** Exit code 1 if the window has an incident that does harm. */
export async function why(pipeline: string | undefined, options: WhyOptions): Promise<CommandResult> {
  checkWindow(options);
  const name = await pipelineNamed(options, pipeline);
  const { from, to, last } = options;
  const path = `/admin/pipelines/${encodeURIComponent(name)}`;
  const end = to ?? (last === undefined ? undefined : await serverNowMs(options, name));
  const fromEpochMs = from ?? (last === undefined || end === undefined ? undefined : end - last);
  const body = { ...(fromEpochMs !== undefined && { fromEpochMs }), ...(end !== undefined && { toEpochMs: end }) };
  const card = (await askAdmin(options, `${path}/why`, body)) as IncidentCard;
  return {
    json: { pipeline: name, card },
    text: incidentText(name, card),
    answerIsNo: card.verdict === 'incident' && card.harmful,
  };
}

function checkWindow({ from, last }: WhyOptions): void {
  if (from !== undefined && last !== undefined)
    throw new AppError('WRONG_USAGE', '--last and --from exclude each other.');
}
