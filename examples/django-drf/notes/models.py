"""The example's own data, partitioned by tenant."""

from typing import ClassVar, Self
from uuid import UUID

from django.db import models


class NoteQuerySet(models.QuerySet["Note"]):
    def of_tenant(self, tenant_id: UUID) -> Self:
        return self.filter(tenant_id=tenant_id)


class Note(models.Model):
    # The tenant's permanent id. Its slug could one day belong to somebody else.
    tenant_id = models.UUIDField()
    author = models.CharField(max_length=255)
    text = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NoteQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["tenant_id", "id"], name="note_by_tenant")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:20]}"
