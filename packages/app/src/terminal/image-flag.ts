import { InvalidArgumentError } from 'commander';

/** Container image, for everything or for a stage or variant. */
export interface ImageFlag {
  readonly image: string;
  /** `STAGE` or `STAGE/VARIANT`; undefined for everything. */
  readonly of?: string;
}

/** Parses `IMAGE`, `STAGE=IMAGE` or `STAGE/VARIANT=IMAGE` and appends it. */
export function images(text: string, before: readonly ImageFlag[] = []): readonly ImageFlag[] {
  const [first = '', ...rest] = text.split('=');
  const image = rest.length === 0 ? first : rest.join('=');
  if (/^\S+$/.test(image) && first !== '') return [...before, rest.length === 0 ? { image } : { image, of: first }];
  throw new InvalidArgumentError('Expected IMAGE, STAGE=IMAGE or STAGE/VARIANT=IMAGE.');
}
