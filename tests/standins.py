"""What a stand-in for a model needs besides the one method that a test is about."""

from symmv_builder.backends.slots import About, Model, ModelHome
from symmv_builder.pipeline.keys import ModelIdentity


class StandInModel(Model):
    """To be named before the class of the slot: `class Listener(StandInModel, SongModel)`."""

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity(cls.__name__, "1", "", trained=False)

    @classmethod
    def about(cls) -> About:
        return About(cls.__name__, "", "")
