/** The ten classes of Fashion-MNIST, in the order of its label indices. */

/** Class names; the index is the label of `data/labels.json` and the place in `probabilities`. */
export const garmentLabels = [
  't-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;
