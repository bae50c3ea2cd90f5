// Counts frequent words of each language. A variant knows `parameters.wordsPerLanguage` words per language.
const FREQUENT = {
  de: 'und die der nicht das ist ein mit auf den sich von wir auch eine im',
  en: 'and the of to is in that it we with on not are this for was',
  es: 'y el la que de en los no una se con por las es un del',
  fr: 'et les des est dans que pas une la nous le sur pour il un du',
};

export function load(variant) {
  const known = Object.entries(FREQUENT).map(([language, words]) => [
    language,
    new Set(words.split(' ').slice(0, variant.parameters.wordsPerLanguage)),
  ]);
  return { run: (batch) => batch.map(({ words }) => answer(words.data, known)) };
}

function answer(words, known) {
  const counts = known.map(([language, frequent]) => [language, words.filter((word) => frequent.has(word)).length]);
  const [language, hits] = counts.reduce((best, next) => (next[1] > best[1] ? next : best));
  return {
    language: { datatype: 'BYTES', shape: [1], data: [hits > 0 ? language : 'unknown'] },
    hits: { datatype: 'INT32', shape: [1], data: Int32Array.of(hits) },
  };
}
