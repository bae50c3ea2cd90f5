"""Routes a call: `text` BYTES [1] becomes `desk` BYTES [1], the desk whose work is nearest to a sentence of the call."""

from equipoise_stage import Tensor

from sentences import load_embeddings, sentences_of

WORK = {
    "billing": ["invoice, bill and receipt", "payment, refund and charge", "credit card and bank account"],
    "support": ["device or app does not work", "internet, network, router and printer", "password, login and update"],
    "delivery": ["package, parcel and shipment", "courier, driver and address", "delivery date and tracking of an order"],
    "contract": ["cancel a subscription or contract", "upgrade of a plan or membership", "notice period and agreement"],
}


class Router:
    def __init__(self, dimensions):
        self.embed = load_embeddings(dimensions)
        self.desks = [desk for desk, phrases in WORK.items() for _ in phrases]
        self.work = self.embed([phrase for phrases in WORK.values() for phrase in phrases])

    def run(self, batch):
        return [{"desk": Tensor("BYTES", [1], [self.desk_of(item["text"].data[0])])} for item in batch]

    def desk_of(self, text):
        sentences = sentences_of(text)
        if not sentences:
            return ""
        likeness = self.embed(sentences) @ self.work.T
        return self.desks[int(likeness.max(axis=0).argmax())]


def load(variant, resources):
    return Router(variant["parameters"]["dimensions"])
