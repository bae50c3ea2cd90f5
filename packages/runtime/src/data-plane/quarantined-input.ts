/** Inputs in quarantine. The policies know an input by its key: tenant and digest. */
import type { StageId } from '@equipoise/core/model';
import { inputDigest } from './payload-algebra.js';
import type { PolicyItem } from './served-replicas.js';

/** An input that hung a stage. `digest` is made by `inputDigest`. */
export interface QuarantinedInput {
  readonly stageId: StageId;
  readonly tenant?: string;
  readonly digest: string;
}

export const inputKey = ({ request, payload }: PolicyItem): string =>
  `${request.context.tenant} ${inputDigest(payload)}`;

export function inputOfKey(stageId: StageId, key: string): QuarantinedInput {
  const [tenant, digest] = key.split(' ') as [string, string];
  return { stageId, ...(tenant !== '' && { tenant }), digest };
}
