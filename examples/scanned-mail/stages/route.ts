/**
 * Routes a mail: `spam` FP32 [] and languages become `route` BYTES [1]: `junk`, or the first language that there is, of
 * the scan (`scanLanguage`, then `skimLanguage` BYTES [1]) or of the letter (`language`).
 */
import type { LoadedStage } from '@equipoise/core';

export function load(): LoadedStage {
  return {
    run: (batch) =>
      batch.map(({ spam, language, scanLanguage, skimLanguage }) => {
        const found = [scanLanguage, skimLanguage, language].map((tensor) => String(tensor?.data[0] ?? ''));
        const route = Number(spam?.data[0]) >= 0.5 ? 'junk' : (found.find((each) => each !== '') ?? '');
        return { route: { datatype: 'BYTES', shape: [1], data: [route] } };
      }),
  };
}
