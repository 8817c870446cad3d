"""Two endpoints: who the token says is asking, and notes that belong to a tenant."""

from typing import ClassVar

from rest_framework.generics import ListCreateAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from tessera_drf.authentication import access_of
from tessera_drf.permissions import HasScope

from .models import Note, NoteQuerySet
from .serializers import NoteSerializer


class WhoAmIView(APIView):
    def get(self, request: Request) -> Response:
        access = access_of(request)
        return Response(
            {
                "tenant": access.tenant,
                "tenant_id": access.tenant_id,
                "sub": access.subject,
                "client_id": access.client_id,
                "scope": " ".join(sorted(access.scopes)),
            }
        )


class NotesView(ListCreateAPIView[Note]):
    permission_classes = (IsAuthenticated, HasScope)
    required_scopes: ClassVar[dict[str, str]] = {"GET": "notes:read", "POST": "notes:write"}
    serializer_class = NoteSerializer

    def get_queryset(self) -> NoteQuerySet:
        return Note.objects.of_tenant(access_of(self.request).tenant_id)

    def perform_create(self, serializer: BaseSerializer[Note]) -> None:
        access = access_of(self.request)
        serializer.save(tenant_id=access.tenant_id, author=access.subject)
