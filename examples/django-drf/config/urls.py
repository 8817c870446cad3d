from django.urls import path

from notes.views import NotesView, WhoAmIView

urlpatterns = [
    path("whoami", WhoAmIView.as_view()),
    path("notes", NotesView.as_view()),
]
