/** The pins of a stage, of which the page sets the variant and the number of replicas. */
import type { StagePins } from '../api/answers.js';

/** `pins` with another variant and number of replicas, if any. Pins of other fields stay. */
export function withChoice(
  { variantId: _, replicas: __, ...others }: StagePins,
  variantId: string | undefined,
  replicas: number | undefined,
): StagePins {
  const variant = variantId !== undefined && variantId !== '' && { variantId: variantId as never };
  return { ...others, ...variant, ...(replicas !== undefined && replicas >= 1 && { replicas: Math.round(replicas) }) };
}

const WORDS: Readonly<Record<keyof StagePins, string>> = {
  variantId: 'variant',
  cpuCores: 'cores',
  maxBatchSize: 'batch size',
  replicas: 'replicas',
  threshold: 'threshold',
  quorum: 'quorum',
  omitted: 'omitted',
};

export const pinsText = (pins: StagePins): string =>
  Object.entries(pins)
    .map(([field, value]) => `${WORDS[field as keyof StagePins]} ${value}`)
    .join(', ');
