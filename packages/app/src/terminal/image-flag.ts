/** Images of a rendering as flags: one for everything, others for a stage or a variant. */
import { InvalidArgumentError } from 'commander';

/** An image, for everything or for a stage or variant. */
export interface ImageFlag {
  readonly image: string;
  /** `STAGE` or `STAGE/VARIANT`; undefined for everything. */
  readonly of?: string;
}

/** Reads `IMAGE`, `STAGE=IMAGE` or `STAGE/VARIANT=IMAGE` behind the ones given before. */
export function images(text: string, before: readonly ImageFlag[] = []): readonly ImageFlag[] {
  const [first = '', ...rest] = text.split('=');
  const image = rest.length === 0 ? first : rest.join('=');
  if (/^\S+$/.test(image) && first !== '') return [...before, rest.length === 0 ? { image } : { image, of: first }];
  throw new InvalidArgumentError('Expected IMAGE, STAGE=IMAGE or STAGE/VARIANT=IMAGE.');
}
