"""What a person gets to see, and where a sign-out leads."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token


def home(request):
    if not request.user.is_authenticated:
        return HttpResponse("not signed in", status=401)
    return JsonResponse(
        {
            "email": request.user.email,
            "csrf": get_token(request),
            "id_token": request.session["oidc_id_token"],
            "renew_at": request.session["oidc_id_token_expiration"],
        }
    )


def bye(request):
    return HttpResponse("<!doctype html><title>bye</title>")


def logout_url(request):
    parameters = {
        "id_token_hint": request.session["oidc_id_token"],
        "post_logout_redirect_uri": request.build_absolute_uri("/bye"),
    }
    return f"{settings.SETTING['issuer']}/logout?{urlencode(parameters)}"
