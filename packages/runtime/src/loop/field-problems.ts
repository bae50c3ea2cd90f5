/** Problems with the fields of a manual request: one refusal lists all of them. */
import { pinObjection } from '@equipoise/core/control';
import { AppError, type PipelineSpec, type StagePins, type StageSpec } from '@equipoise/core/model';

/** The path is empty for the whole body. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

export const invalidFields = (what: string, problems: readonly FieldProblem[]): AppError =>
  new AppError('INVALID_FIELDS', `${what}: ${problems.map(({ message }) => message).join('; ')}.`, {
    details: { problems },
  });

/**
 * Reasons why a stage cannot have the pins: one per impossible pin, or one for their combination. `path` locates the
 * pins.
 */
export function pinProblems(
  { spec, stage }: { readonly spec: PipelineSpec; readonly stage: StageSpec },
  pins: StagePins,
  path: string,
): readonly FieldProblem[] {
  const whole = pinObjection(spec, stage, pins);
  if (whole === undefined) return [];
  const each = Object.entries(pins).flatMap(([name, value]) => {
    const message = pinObjection(spec, stage, { [name]: value });
    return message === undefined ? [] : [{ path: path === '' ? name : `${path}.${name}`, message }];
  });
  return each.length > 0 ? each : [{ path, message: whole }];
}
