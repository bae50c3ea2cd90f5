/**
 * Routes a mail: `spam` FP32 [], `language` BYTES [1] of the letter and, with a scan, `scanLanguage` BYTES [1] become
 * `route` BYTES [1]: `junk`, or the language of the scan, or else that of the letter.
 */
import type { LoadedStage } from '@equipoise/core';

export function load(): LoadedStage {
  return {
    run: (batch) =>
      batch.map(({ spam, language, scanLanguage }) => {
        const found = String(scanLanguage?.data[0] ?? '') || String(language?.data[0]);
        const route = Number(spam?.data[0]) >= 0.5 ? 'junk' : found;
        return { route: { datatype: 'BYTES', shape: [1], data: [route] } };
      }),
  };
}
