"""The console's snippet for Django, and two pages."""

import views
from django.urls import path
from settings import snippet

urlpatterns = [path("", views.home), path("bye", views.bye, name="bye")]

exec(snippet("django_urls.py"))
